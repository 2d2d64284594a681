/** @file Dropout of adapters: which elements it hides, how many, and that a layer computes what its formula says. */
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { columnNoise, oddInteger, passNoise } from '../../../src/engine/models/noise.ts';
import { type LoraOptions, loraParameters } from '../../../src/engine/models/parameters.ts';
import { compile } from '../../../src/engine/onnx/program.ts';
import { dropout, dropoutThreshold, input } from '../../../src/engine/ops/operators.ts';
import { evaluate } from '../../../src/engine/runtime/evaluate.ts';
import { createSession } from '../../../src/engine/runtime/session.ts';
import { mappedWeights } from '../../../src/engine/weights/mapped-weights.ts';
import { openSafetensors, readTensor } from '../../../src/engine/weights/safetensors.ts';

const noise = (count: number, name: string) => {
  const random = randomStream(3, name);
  return BigInt64Array.from({ length: count }, () => oddInteger(random));
};
const isKept = (row: bigint, column: bigint, rate: number) =>
  Math.imul(Number(row), Number(column)) < dropoutThreshold(rate);

/** Dropout of ones. */
async function maskOf(rows: BigInt64Array, columns: BigInt64Array, rate: number): Promise<Float32Array> {
  const [m, k] = [rows.length, columns.length];
  const y = dropout(input('x', 'f32', ['M', k]), input('r', 'i64', ['M']), input('c', 'i64', [k]), rate);
  const { mask } = await evaluate(
    { mask: y },
    {
      x: { data: new Float32Array(m * k).fill(1), shape: [m, k] },
      r: { data: rows, shape: [m] },
      c: { data: columns, shape: [k] },
    },
  );
  return mask!.data as Float32Array;
}

describe('dropout', () => {
  const rows = noise(300, 'rows');
  const columns = noise(200, 'columns');

  it('keeps the elements whose wrapped product lies below the threshold', async () => {
    const mask = await maskOf(rows, columns, 0.3);
    const expected = Array.from(mask, (_, i) =>
      isKept(rows[Math.floor(i / 200)]!, columns[i % 200]!, 0.3) ? 1 : 0,
    );
    expect([...mask]).toEqual(expected);
  });

  it.each([0.05, 0.1, 0.5, 0.9])(
    'hides a share of %d, in every row and beside hidden neighbours alike',
    async (rate) => {
      const mask = await maskOf(rows, columns, rate);
      const share = (hidden: readonly number[]) => hidden.filter((kept) => kept === 0).length / hidden.length;
      // Five standard deviations of 60,000 independent draws.
      const bound = (draws: number) => 5 * Math.sqrt((rate * (1 - rate)) / draws);
      expect(Math.abs(share([...mask]) - rate)).toBeLessThan(bound(mask.length));
      for (const step of [1, 200]) {
        const after = [...mask].flatMap((kept, i) =>
          kept === 0 && i + step < mask.length ? [mask[i + step]!] : [],
        );
        expect(Math.abs(share(after) - rate)).toBeLessThan(bound(after.length));
      }
      for (let row = 0; row < 300; row++)
        expect(Math.abs(share([...mask.subarray(row * 200, (row + 1) * 200)]) - rate)).toBeLessThan(
          bound(200),
        );
    },
  );
});

describe('a linear layer with an adapter', () => {
  const lora: LoraOptions = { rank: 2, loraAlpha: 6, targetModules: ['q_proj'], dropout: 0.4, rsLora: true };
  const name = 'model.layers.0.self_attn.q_proj';

  it('computes W x + α/√r · B A (m ⊙ x) / (1 − p) in training, and no mask where none is asked for', async () => {
    const file = await openSafetensors('tests/golden/tiny-llama/model.safetensors');
    const [out, inputs] = file.tensors.get(`${name}.weight`)!.shape as [number, number];
    const w = await readTensor(file, `${name}.weight`);
    const random = randomStream(1, 'tests/dropout');
    const draw = (...shape: number[]) => ({
      shape,
      data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    });
    const [x, a, b] = [draw(1, 3, inputs), draw(2, inputs), draw(out, 2)];
    const rowNoise = noise(3, 'tokens');
    const outputOf = async (drops: boolean) => {
      const source = loraParameters(lora, drops ? { seed: 5 } : {});
      const layers = source.dropping?.(passNoise('p', { shape: [1, 'T'] })) ?? source;
      const y = layers.linear(name, out, inputs).apply(input('x', 'f32', [1, 'T', inputs]));
      const { tensors, folder } = mappedWeights(file);
      await using session = await createSession(compile({ y }, tensors), {
        weightsFolder: folder,
        threads: 1,
      });
      const prefix = `base_model.model.${name}.lora`;
      const feeds = { x, [`${prefix}_A.weight`]: a!, [`${prefix}_B.weight`]: b! };
      const result = await session.run({ ...feeds, 'p.noise': { data: rowNoise, shape: [1, 3] } });
      return result.y!.data as Float32Array;
    };
    const columns = columnNoise(5, name, inputs).node.attributes as { data: BigInt64Array };
    const expected = (drops: boolean) =>
      Float32Array.from({ length: 3 * out }, (_, i) => {
        const [t, o] = [Math.floor(i / out), i % out];
        let [plain, low0, low1] = [0, 0, 0];
        for (let k = 0; k < inputs; k++) {
          const value = x!.data[t * inputs + k]!;
          const kept = drops ? (isKept(rowNoise[t]!, columns.data[k]!, 0.4) ? value / 0.6 : 0) : value;
          plain += w[o * inputs + k]! * value;
          low0 += a!.data[k]! * kept;
          low1 += a!.data[inputs + k]! * kept;
        }
        return plain + (6 / Math.SQRT2) * (b!.data[o * 2]! * low0 + b!.data[o * 2 + 1]! * low1);
      });
    for (const drops of [true, false]) {
      const got = await outputOf(drops);
      expected(drops).forEach((value, i) => {
        expect(Math.abs(got[i]! - value) / (1 + Math.abs(value))).toBeLessThan(1e-5);
      });
    }
  });
});
