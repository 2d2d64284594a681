/** @file The public API as a table of contents; nothing else. */
export * from './base/errors.ts';
export type { Progress, ProgressListener } from './base/progress.ts';
export type { Cause, CauseSpan, Example, HistoryItem, Split } from './method/data/example.ts';
