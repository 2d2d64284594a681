/** @file What computes a model in another process, such as PyTorch on graphics cards, in place of graphs of this package. */
import type { HostTensor } from '../runtime/session.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { DecoderConfig } from './hf-config.ts';
import type { LoraOptions } from './parameters.ts';

/** What a worker must know of a model; it reads the weights itself. */
export interface WorkerModel {
  /** In Hugging Face's layout. */
  readonly folder: string;
  readonly hash: string;
  readonly config: DecoderConfig;
  readonly tokenizer: Pick<Tokenizer, 'hash' | 'padId'>;
}

/** LoRA matrices by PEFT's names, f32. */
export interface AdapterValues {
  readonly lora: LoraOptions;
  readonly tensors: Readonly<Record<string, HostTensor>>;
}

/** A prompt and the response whose tokens are scored, or `targetIds` in their places. */
export interface WorkerPrompt {
  readonly promptIds: readonly number[];
  readonly responseIds: readonly number[];
  readonly targetIds?: readonly number[];
}

/** Both prompts of an example, and the response that follows either. */
export interface WorkerPair {
  readonly withHistoryIds: readonly number[];
  readonly withoutHistoryIds: readonly number[];
  readonly responseIds: readonly number[];
  readonly hasHistory: boolean;
}

/** Of the response tokens of one pair; each f32[S], nats. */
export interface WorkerPairScores {
  readonly logProbWithHistory: Float32Array;
  readonly logProbWithoutHistory: Float32Array;
  readonly divergence: Float32Array;
}

/** How a worker is asked. */
export interface WorkerRequest {
  readonly model: WorkerModel;
  /** On the model; none by default. */
  readonly adapter?: AdapterValues | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told how many have been scored. */
  readonly onDone?: ((done: number) => void) | undefined;
}

/** Texts as far as they are written, in the worker: it gives logits, and tokens are drawn here. One writer of a worker at a time. */
export interface WorkerWriter extends AsyncDisposable {
  /** Runs a prompt, which becomes the last row. @returns f32[V]: logits after its last token */
  fill(ids: readonly number[], signal?: AbortSignal): Promise<Float32Array>;
  /**
   * Keeps these rows only, in this order, one of them as often as it is named, and runs a token more for each.
   * @returns f32[B · V]: logits after it
   */
  step(rows: readonly number[], tokens: readonly number[]): Promise<Float32Array>;
}

/** Computes models in a process that the first call starts, and that stays until this is disposed of. */
export interface ModelWorker extends AsyncDisposable {
  /** What computes, such as `torch cpu f32`: names its scores in caches, for their last digits are its own. */
  readonly name: string;
  /** log p of every response token, f32[S] each, nats; in the order given. */
  logProbabilities(prompts: readonly WorkerPrompt[], request: WorkerRequest): Promise<Float32Array[]>;
  /** Of both passes; in the order given. */
  pairScores(pairs: readonly WorkerPair[], request: WorkerRequest): Promise<WorkerPairScores[]>;
  /** Opens what texts are written by. */
  openWriter(request: Omit<WorkerRequest, 'onDone'>): Promise<WorkerWriter>;
}
