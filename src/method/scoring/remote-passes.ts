/** @file A model that a server has: what it gives, and what a result says of it. */
import type { KnownTokens } from '../effects/divergence-bound.ts';
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
  /** Likeliest tokens that the server gives in each place, by which the divergence is bounded; 0 where it gives none. */
  readonly likeliest: number;
  /** What the server says of the state that it computes in, where it does. */
  readonly fingerprint?: string;
  /** Differences between answers to the same prompt, nats a token; absent before any was repeated. */
  readonly noise?: { readonly max: number; readonly p95: number };
}

/** What a server gives of the response tokens of one prompt. */
export interface RemoteScores {
  /** log p of each, f32[S], nats. */
  readonly logProbability: Float32Array;
  /** log p of the likeliest tokens in the place of each, where asked for; undefined where the server gave fewer or others. */
  readonly likeliest?: readonly (KnownTokens | undefined)[];
}

/** How a server is asked for scores. */
export interface RemoteScoring {
  /** For the likeliest tokens, too. */
  readonly likeliest: boolean;
  readonly signal: AbortSignal | undefined;
}

/** A model that a server has. */
export interface RemotePasses {
  /** Names what scores come from. */
  readonly identity: string;
  readonly record: () => RemoteRecord;
  /** As in its record. */
  readonly likeliest: number;
  /** Requests at a time. */
  readonly concurrency: number;
  /** The scores of prompts as they come, by the place of the prompt. */
  scores(
    prompts: readonly ScoredPrompt[],
    options: RemoteScoring,
  ): AsyncIterable<readonly (readonly [place: number, scores: RemoteScores])[]>;
}
