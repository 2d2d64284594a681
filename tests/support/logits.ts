/** @file Logits of one sequence, at every position: what two forms of one model are compared by. */
import type { Model } from '../../src/engine/models/model.ts';
import { frozenParameters, type ParameterSource } from '../../src/engine/models/parameters.ts';
import { createPasses, openSession, type PassRows } from '../../src/engine/models/pass.ts';
import type { HostTensor } from '../../src/engine/runtime/session.ts';

/** f32[T, V]; `feeds` are the values of what `source` declares as inputs. */
export async function logitsOf(
  model: Pick<Model, 'config' | 'architecture' | 'weights' | 'device'>,
  ids: readonly number[],
  source: ParameterSource = frozenParameters(),
  feeds: Readonly<Record<string, HostTensor>> = {},
): Promise<HostTensor> {
  const passes = createPasses(model, source);
  await using session = await openSession(model, { logits: passes.logits('x', 'T') }, { threads: 1 });
  const results = await session.run({ ...passes.feeds({ x: wholeSequence(ids) }), ...feeds });
  return results.logits!;
}

/** A pass over one sequence without padding, with logits at every position. */
export function wholeSequence(ids: readonly number[]): PassRows {
  const positions = BigInt64Array.from(ids, (_, t) => BigInt(t));
  return {
    batch: 1,
    length: ids.length,
    tokenIds: BigInt64Array.from(ids, BigInt),
    positionIds: positions,
    attentionMask: new Float32Array(ids.length).fill(1),
    rows: positions,
  };
}
