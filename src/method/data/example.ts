/** @file The unit of all data: a user, the user's history h, a query x and the response y that the user wrote. */

/** One earlier text of a user. */
export interface HistoryItem {
  readonly id: string;
  /** ISO 8601 date or date-time; strictly before the response's. */
  readonly time?: string;
  /** What the earlier text answered, such as a title. */
  readonly query: string;
  /** What the user wrote. */
  readonly text: string;
  /** All who wrote it, by their user names, where it has several authors: it says something of each of them. */
  readonly authors?: readonly string[];
  /** What it did for later replies of its user, nats a response token, where it was measured (scoring/earlier-replies.ts). */
  readonly effect?: number;
  /** What a model wrote of the history that it belongs to, where it was asked to (generation/summaries.ts). */
  readonly summary?: string;
  /** Mean hidden state of a model, f32[D], where it was measured (scoring/embeddings.ts). */
  readonly embedding?: Float32Array;
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** Who decided a stretch of a simulated response: see simulation/simulate.ts. */
export type Cause = 'user' | 'query' | 'both' | 'neither';

/** A stretch of `response`, in UTF-16 code units, end exclusive; the spans of an example cover its response. */
export interface CauseSpan {
  readonly start: number;
  readonly end: number;
  readonly cause: Cause;
  /** The generator's own log p(choice | user, query) − log p(choice | query), nats; only where the choice was open. */
  readonly logRatio?: number;
}

/** What rows are for. */
export type Split = 'train' | 'validation' | 'test';

/** One example: history is oldest first, each item strictly before the response. */
export interface Example {
  readonly id: string;
  readonly user: string;
  readonly time?: string;
  readonly query: string;
  readonly response: string;
  readonly history: readonly HistoryItem[];
  /** What the text is about, such as `books`: others' histories are matched by it, and audits are told apart by it. */
  readonly domain?: string;
  readonly split?: Split;
  readonly causes?: readonly CauseSpan[];
  /** Mean hidden state of the query, f32[D], where it was measured (scoring/embeddings.ts). */
  readonly queryEmbedding?: Float32Array;
  readonly meta?: Readonly<Record<string, unknown>>;
}
