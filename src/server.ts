/** @file The entry `nextquill/server`: a server of OpenAI's API for your own process, and what its clients send and read. */
/// <reference lib="esnext.disposable" preserve="true" />
import type { z } from '@hono/zod-openapi';
import type { nextquillChat } from './app/server/wire/text-requests.ts';

export type { Opened } from './app/open/open.ts';
export { open } from './app/open/open.ts';
export type { ApiErrorBody } from './app/server/api-error.ts';
export {
  type CreateServerOptions,
  createServer,
  type NextQuillServer,
} from './app/server/create-server.ts';
export type { Outcome, RequestLine } from './app/server/request-log.ts';
export { requestLog } from './app/server/request-log.ts';
export type { ServerSettings } from './app/server/settings.ts';
export { openStore } from './app/server/store/store.ts';
export type { Receipt, Store, StoredItem, StoredKey, StoredUser } from './app/server/store-contract.ts';
export type { ChatTokenJson } from './app/server/token-json.ts';
export * from './base/errors.ts';

/** What a chat request says to NextQuill. */
export type NextQuillFields = z.input<typeof nextquillChat>;

/** What an answer says of itself, beside OpenAI's fields; the last four stand at its end. */
export interface NextQuillAnswer {
  readonly user?: string;
  readonly strength: number;
  readonly template: string;
  readonly seed: number;
  readonly adapter: { readonly name: string; readonly hash: string } | null;
  /** Ids of the items that the prompt shows, oldest first. */
  readonly historyItems: readonly string[];
  /** Items that would have been shown and did not fit. */
  readonly historyItemsDropped: number;
  readonly historyVersion?: number;
  /** Which items the text used; where `items` was asked for. */
  readonly items?: readonly {
    readonly id: string;
    readonly effect: number;
    readonly mean: number;
    readonly low: number;
    readonly high: number;
    readonly kind: string;
    readonly twin?: string;
  }[];
  /** Share of the words of each text that stand in runs copied from the history. */
  readonly copied: readonly number[];
  readonly passes: number;
  readonly queueMs: number;
  readonly firstTokenMs: number | null;
  readonly warnings: readonly string[];
}

/** A chunk of a stream as it is sent: `chunk as NextQuillChunk`. */
export interface NextQuillChunk {
  readonly nextquill?: Partial<NextQuillAnswer>;
}

/** Our fields for a call of OpenAI's client, which takes them by a spread: `{...body, ...nextquill({user: 'u1'})}`. */
export const nextquill = (fields: NextQuillFields): { readonly nextquill: NextQuillFields } => ({
  nextquill: fields,
});
