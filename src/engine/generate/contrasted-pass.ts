/**
 * @file A decoder with an adapter, contrasted with itself without: logits z_base + s (z_adapter − z_base), each side over a cache of
 * its own. CoPe (arXiv 2506.12109) decodes by such a contrast with s above 1.
 */
import type { HostTensor } from '../runtime/session.ts';
import { type CachedPass, openCache } from './cached-pass.ts';
import type { KeyValueCache } from './kv-cache.ts';

export interface ContrastedPass extends CachedPass {
  /** A cache for both sides, as {@link openCache} makes one: twice its memory. */
  readonly openCache: typeof openCache;
}

/**
 * The pass at a strength of its adapter; disposed of with it.
 * @param pass opened with the adapter
 * @param tensors the adapter's matrices
 * Cost: two passes for each one.
 */
export function contrastedPass(
  pass: CachedPass,
  tensors: Readonly<Record<string, HostTensor>>,
  strength: number,
): ContrastedPass {
  // With matrices of zeros the same session computes the base.
  const none = Object.fromEntries(
    Object.entries(tensors).map(([name, { data, shape }]) => [
      name,
      { data: new Float32Array(data.length), shape },
    ]),
  );
  const bases = new WeakMap<KeyValueCache, KeyValueCache>();
  const contrast = (adapted: Float32Array, base: Float32Array): Float32Array =>
    adapted.map((value, v) => base[v]! + strength * (value - base[v]!));
  const baseOf = (cache: KeyValueCache) => bases.get(cache)!;
  return {
    openCache: async (model, rows, capacity) => {
      const adapted = await openCache(model, rows, capacity);
      const base = await openCache(model, rows, capacity);
      const both: KeyValueCache = {
        ...adapted,
        copyRow: (from, to) => {
          adapted.copyRow(from, to);
          base.copyRow(from, to);
        },
        clearRow: (row, fill) => {
          adapted.clearRow(row, fill);
          base.clearRow(row, fill);
        },
        release: () => {
          adapted.release();
          base.release();
        },
      };
      bases.set(both, base);
      return both;
    },
    prefill: async (cache, row, ids, signal, options) =>
      contrast(
        await pass.prefill(cache, row, ids, signal, options),
        await pass.prefill(baseOf(cache), row, ids, signal, { tensors: none }),
      ),
    extend: async (cache, row, ids, options) =>
      contrast(
        await pass.extend(cache, row, ids, options),
        await pass.extend(baseOf(cache), row, ids, { ...options, tensors: none }),
      ),
    step: async (cache, tokens, options) =>
      contrast(
        await pass.step(cache, tokens, options),
        await pass.step(baseOf(cache), tokens, { ...options, tensors: none }),
      ),
    [Symbol.asyncDispose]: () => pass[Symbol.asyncDispose](),
  };
}
