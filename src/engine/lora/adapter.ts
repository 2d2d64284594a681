/** @file A LoRA adapter in memory. */
import type { LoraOptions } from '../models/parameters.ts';
import type { HostTensor } from '../runtime/session.ts';

/** One matrix of an adapter. */
export type AdapterTensor = HostTensor & { readonly data: Float32Array };

/** A LoRA adapter: its options and its matrices by PEFT's names, f32. */
export interface Adapter {
  readonly lora: LoraOptions;
  readonly tensors: Readonly<Record<string, AdapterTensor>>;
}
