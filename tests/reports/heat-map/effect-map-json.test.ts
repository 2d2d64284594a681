/** @file The JSON form of a heat map. */
import { describe, expect, it } from 'vitest';
import { effectMapJson } from '../../../src/reports/heat-map/effect-map-json.ts';
import { exampleMap } from './example-map.ts';

describe('effectMapJson', () => {
  it('survives a round trip and uses the names of the rows of effects', () => {
    const json = effectMapJson(exampleMap('one two', [1, -1]));
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
    expect(json.tokens[1]).toEqual({
      position: 1,
      token: ' two',
      start: 3,
      end: 7,
      logProbWithHistory: -5,
      logProbWithoutHistory: -4,
      effectProbability: Math.exp(-5) - Math.exp(-4),
      effectLogRatio: -1,
      effectDivergence: 0.1,
    });
    expect(json.tokens.at(-1)).toMatchObject({ start: 7, end: 7 });
  });

  it('leaves no text in when redacted', () => {
    const text = JSON.stringify(effectMapJson(exampleMap('Quietly devastating'), { redact: true }));
    expect(text).not.toMatch(/Quietly|devastating|Usula|Queryword|Historyword|Earlierquery|word/);
    expect(text).toContain('[21 characters]');
  });
});
