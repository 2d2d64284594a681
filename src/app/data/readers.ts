/** @file The formats that `nextquill data` reads, one row a format. */
import type { Reader } from './reader.ts';
import { tableReaders } from './readers/table.ts';

export const readers: readonly Reader[] = [...tableReaders];
