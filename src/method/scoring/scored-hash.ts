/** @file Names a model as it is scored by content: its file, and the adapter or weights that take their place beside it. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../base/hash.ts';
import type { HostTensor } from '../../engine/runtime/session.ts';
import type { ScoredModel } from './scored-model.ts';

/**
 * SHA-256 of the model's own hash (config, weights, tokenizer), of the bits and products of a quantised base, and of every number of an
 * adapter or of trained weights.
 */
export function scoredHash({ model, adapter, trained }: ScoredModel): string {
  const hash = createHash('sha256').update(model.hash);
  if (model.quantised !== undefined) {
    const { bits, products } = model.quantised;
    hash.update(`base ${bits}`);
    // Those in f32 have no name: their scores were kept before there was a choice.
    if (products !== 'f32') hash.update(`products ${products}`);
  }
  if (adapter !== undefined) hash.update(`adapter ${canonicalJson(adapter.lora)}`);
  if (trained !== undefined) hash.update('trained');
  for (const [name, { shape, data }] of sorted(adapter?.tensors ?? trained ?? {})) {
    hash.update(`${name} ${shape.join()}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}

/**
 * Names what scores come from: the model, and what computes it where that is not the processor by this package, for its last digits
 * are its own.
 */
export function scoresHash(scored: ScoredModel): string {
  const { device = 'cpu', worker } = scored.model;
  if (worker !== undefined) return `${scoredHash(scored)} ${worker.name}`;
  return device === 'cpu' ? scoredHash(scored) : `${scoredHash(scored)} ${device}`;
}

const sorted = (tensors: Readonly<Record<string, HostTensor>>) =>
  Object.entries(tensors).sort(([a], [b]) => (a < b ? -1 : 1));
