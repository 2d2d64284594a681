/** @file Limits and times of a server, with their defaults. */
import { freemem } from 'node:os';
import type { Model } from '../../engine/models/model.ts';

/** What bounds a server; sizes are bytes, times are seconds. */
export interface ServerSettings {
  /** Key/value cache: as many rows as fit. */
  readonly cacheMemory: number;
  /** Adapters that are kept loaded; the least recently used goes first. */
  readonly adapterMemory: number;
  /** Rows of one pass at most; 1 makes every answer independent of its neighbours by a bit. */
  readonly maxBatch: number;
  /** Waiting requests of all callers. */
  readonly maxQueue: number;
  /** Running and waiting requests of a user, and of a key. */
  readonly maxPerUser: number;
  readonly maxPerKey: number;
  /** Requests and tokens of a key in a minute; no limit when absent. */
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
  readonly maxNewTokens: number;
  readonly maxBody: number;
  /** Items of a user, and UTF-16 units of an item. */
  readonly maxItems: number;
  readonly maxItemChars: number;
  readonly maxStrength: number;
  /** Passes that one request may cost for effects of items. */
  readonly maxEffectPasses: number;
  /** Id of a prompt template; the adapter's own, or `default`, when absent. */
  readonly template: string | undefined;
  readonly requestTimeout: number;
  readonly queueTimeout: number;
  /** A reader that takes nothing for so long loses its request. */
  readonly stallTimeout: number;
  /** A connection that has not sent the headers of a request by then is closed; so is one that waits for its next request. */
  readonly headersTimeout: number;
  readonly idleTimeout: number;
  /** Running requests may go on for so long when the server ends. */
  readonly drain: number;
}

export const defaultSettings = (): ServerSettings => ({
  cacheMemory: Math.floor(freemem() / 4),
  adapterMemory: 512 * 2 ** 20,
  maxBatch: Number.POSITIVE_INFINITY,
  maxQueue: 256,
  maxPerUser: 4,
  maxPerKey: 64,
  requestsPerMinute: undefined,
  tokensPerMinute: undefined,
  maxNewTokens: 1024,
  maxBody: 2 ** 20,
  maxItems: 10_000,
  maxItemChars: 20_000,
  maxStrength: 3,
  maxEffectPasses: 200,
  template: undefined,
  requestTimeout: 300,
  queueTimeout: 60,
  stallTimeout: 30,
  headersTimeout: 10,
  idleTimeout: 60,
  drain: 30,
});

/** Rows beyond this help no machine that this runs on, and cost a search each. */
const MOST_ROWS = 1024;

/** Rows of the cache that fit into memory, two at least: one text with the dial. */
export function cacheRows(
  { config }: Pick<Model, 'config'>,
  capacity: number,
  { cacheMemory }: Pick<ServerSettings, 'cacheMemory'>,
): number {
  const rowBytes = capacity * config.layers * config.keyValueHeads * config.headSize * 8;
  return Math.max(2, Math.min(MOST_ROWS, Math.floor(cacheMemory / rowBytes)));
}
