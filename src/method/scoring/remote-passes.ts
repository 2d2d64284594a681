/** @file A model that a server has: what it gives, and what a result says of it. */
import type { ScoredPrompt } from '../prompts/collate.ts';

/** What a result says of the server that it comes from. */
export interface RemoteRecord {
  readonly url: string;
  /** Such as `vllm`. */
  readonly kind: string;
  /** The server's name of the model. */
  readonly model: string;
  /** How log-probabilities of a prompt were asked for, such as `prompt_logprobs`. */
  readonly way: string;
  readonly tokenizerHash: string;
  /** What the server says of the state that it computes in, where it does. */
  readonly fingerprint?: string;
  /** Differences between answers to the same prompt, nats a token; absent before any was repeated. */
  readonly noise?: { readonly max: number; readonly p95: number };
}

/** A model that a server has. */
export interface RemotePasses {
  /** Names what scores come from. */
  readonly identity: string;
  readonly record: () => RemoteRecord;
  /** log p of every response token of prompts, nats, as they come; f32[S] each, by the place of its prompt. */
  logProbabilities(
    prompts: readonly ScoredPrompt[],
    signal: AbortSignal | undefined,
  ): AsyncIterable<readonly (readonly [place: number, values: Float32Array])[]>;
}
