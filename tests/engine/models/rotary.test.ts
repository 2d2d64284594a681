/** @file Frequencies of scaled rotary embeddings against transformers (tests/golden/make/tiny_decoders.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configKeys, type Json } from '../../../src/engine/models/hf-config.ts';
import { rotaryConfig } from '../../../src/engine/models/rope-config.ts';
import { rotaryFrequencies } from '../../../src/engine/models/rotary.ts';

const { cases } = JSON.parse(readFileSync('tests/golden/rope.json', 'utf8')) as {
  cases: { config: Json; frequencies: number[]; factor: number }[];
};

/** Two roundings of f32, relative to the frequency. */
const TOLERANCE = 3e-7;

describe('rotary embeddings', () => {
  it.each(cases)('have the frequencies of transformers for $config', ({ config, frequencies, factor }) => {
    const rotary = rotaryConfig(configKeys(config, 'config.json'), 4096);
    const ours = rotaryFrequencies(rotary, 16);
    frequencies.forEach((expected, i) => {
      expect(Math.abs(ours[i]! - expected) / expected, `pair ${i}`).toBeLessThan(TOLERANCE);
    });
    const scale = rotary.scaling?.type === 'yarn' ? rotary.scaling.attentionFactor : 1;
    expect(scale).toBeCloseTo(factor, 12);
  });
});
