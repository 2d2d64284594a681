/** @file Logits of one sequence, at every position: what two forms of one model are compared by. */
import { rotaryInputs, rotaryTables, tokenFeeds, tokenInputs } from '../../src/engine/models/blocks.ts';
import type { Model } from '../../src/engine/models/model.ts';
import { frozenParameters, type ParameterSource } from '../../src/engine/models/parameters.ts';
import { compile } from '../../src/engine/onnx/program.ts';
import { input } from '../../src/engine/ops/operators.ts';
import { createSession, type HostTensor } from '../../src/engine/runtime/session.ts';
import { mappedWeights } from '../../src/engine/weights/mapped-weights.ts';

/** f32[T, V]; `feeds` are the values of what `source` declares as inputs. */
export async function logitsOf(
  model: Pick<Model, 'config' | 'architecture' | 'weights'>,
  ids: readonly number[],
  source: ParameterSource = frozenParameters(),
  feeds: Readonly<Record<string, HostTensor>> = {},
): Promise<HostTensor> {
  const { config, architecture } = model;
  const rows = input('rows', 'i64', ['S']);
  const tokens = tokenInputs('x', 'B', 'T');
  const hidden = architecture.hidden(config, source, tokens, rotaryInputs(config.headSize), rows);
  const mapped = mappedWeights(model.weights);
  const program = compile({ logits: architecture.logits(config, source, hidden) }, mapped.tensors);
  await using session = await createSession(program, { threads: 1, weightsFolder: mapped.folder });
  const positions = BigInt64Array.from(ids, (_, t) => BigInt(t));
  const results = await session.run({
    ...tokenFeeds('x', {
      batch: 1,
      length: ids.length,
      tokenIds: BigInt64Array.from(ids, BigInt),
      positionIds: positions,
      attentionMask: new Float32Array(ids.length).fill(1),
    }),
    rows: { data: positions, shape: [ids.length] },
    ...rotaryTables(config.ropeTheta, config.headSize, ids.length),
    ...feeds,
  });
  return results.logits!;
}
