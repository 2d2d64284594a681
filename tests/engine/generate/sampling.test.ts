/** @file Filters against transformers' logits processors (tests/golden/make/sampling.py), and how tokens are drawn from what they leave. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError, EngineError } from '../../../src/base/errors.ts';
import { randomStream } from '../../../src/base/random.ts';
import { likeliestFirst } from '../../../src/engine/generate/likeliest-first.ts';
import {
  candidates,
  checkSampling,
  drawToken,
  penaliseRepetitions,
  type SamplingOptions,
} from '../../../src/engine/generate/sampling.ts';

/** transformers computes scores and probabilities in f32. */
const TOLERANCE = 1e-6;

interface Golden {
  readonly logits: number[];
  readonly generated: number[];
  readonly cases: { options: SamplingOptions; ids: number[]; probabilities: number[] }[];
}
const golden = JSON.parse(readFileSync('tests/golden/sampling.json', 'utf8')) as Golden;

describe('filters', () => {
  it.each(golden.cases.map((c) => [JSON.stringify(c.options), c] as const))(
    'leave what those of transformers leave: %s',
    (_name, { options, ids, probabilities }) => {
      const logits = Float32Array.from(golden.logits);
      penaliseRepetitions(logits, golden.generated, options.repetitionPenalty ?? 1);
      const got = candidates(logits, { temperature: 1, ...options });
      const byId = got.ids.map((id, i) => [id, got.probabilities[i]!] as const).sort((a, b) => a[0] - b[0]);
      expect(byId.map(([id]) => id)).toEqual(ids);
      byId.forEach(([id, probability], i) => {
        expect(Math.abs(probability - probabilities[i]!), `token ${id}`).toBeLessThan(TOLERANCE);
      });
    },
  );

  it('take the likeliest tokens in the order of a full sort', () => {
    const logits = fc.array(fc.constantFrom(-1, -0.5, 0, 0.25, 0.5, 3), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(logits, (values) => {
        const sorted = values.map((_, id) => id).sort((a, b) => values[b]! - values[a]! || a - b);
        expect([...likeliestFirst(Float32Array.from(values))]).toEqual(sorted);
      }),
    );
  });
});

describe('a drawn token', () => {
  const logits = () => Float32Array.of(1, 3, -2, 2.5);

  it('is the likeliest at temperature 0, the first of equals', () => {
    expect(drawToken(logits(), [], {}, 0.99)).toBe(1);
    expect(drawToken(Float32Array.of(0, 2, 2), [], { temperature: 0 }, 0.99)).toBe(1);
  });

  it('is penalised once for each generated token, so that another is the likeliest', () => {
    expect(drawToken(logits(), [1, 1], { repetitionPenalty: 1.5 }, 0)).toBe(3);
    expect(drawToken(logits(), [1, 1], { repetitionPenalty: 1.15 }, 0)).toBe(1);
  });

  it('comes as often as its probability says', () => {
    const random = randomStream(5, 'tests/sampling');
    const options = { temperature: 1.3, topP: 0.95, minP: 0.01 };
    const { ids, probabilities } = candidates(logits(), options);
    const counts = new Map<number, number>();
    const draws = 20000;
    for (let i = 0; i < draws; i++) {
      const token = drawToken(logits(), [], options, random.next());
      counts.set(token, (counts.get(token) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([...ids].sort());
    ids.forEach((id, i) => {
      const p = probabilities[i]!;
      const deviation = Math.sqrt((p * (1 - p)) / draws);
      expect(Math.abs(counts.get(id)! / draws - p)).toBeLessThan(4 * deviation);
    });
  });

  it('is refused where the logits are no numbers, by their token', () => {
    for (const options of [{}, { temperature: 1 }])
      expect(() => drawToken(Float32Array.of(1, Number.NaN), [], options, 0)).toThrowError(EngineError);
  });
});

it('numbers out of range are refused by name', () => {
  const wrong: SamplingOptions[] = [
    { temperature: -1 },
    { topK: 1.5 },
    { topK: -1 },
    { topP: 1.5 },
    { minP: -0.1 },
    { minP: Number.NaN },
    { repetitionPenalty: 0 },
  ];
  for (const options of wrong) {
    expect(() => checkSampling(options)).toThrowError(ConfigError);
    expect(() => checkSampling(options)).toThrowError(Object.keys(options)[0]!);
  }
});
