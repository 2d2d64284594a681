/** @file A small heat map for tests. */
import type { EffectMap, EffectToken } from '../../../src/method/explain/effect-map.ts';

/** A token whose probability and divergence follow from the log-probabilities. */
export function effectToken(
  text: string,
  start: number,
  logRatio: number,
  extra: Partial<EffectToken> = {},
): EffectToken {
  const logProbWithoutHistory = -4;
  const logProbWithHistory = -4 + logRatio;
  return {
    text,
    start,
    end: start + text.length,
    values: {
      logRatio,
      probability: Math.exp(logProbWithHistory) - Math.exp(logProbWithoutHistory),
      divergence: Math.abs(logRatio) / 10,
    },
    logProbWithHistory,
    logProbWithoutHistory,
    ...extra,
  };
}

/** Cuts `response` before each space, gives token i the i-th effect, and adds the end-of-turn token. */
export function exampleMap(
  response: string,
  effects: readonly number[] = [],
  extra: Partial<EffectMap> = {},
): EffectMap {
  const tokens: EffectToken[] = [];
  let start = 0;
  for (const text of response.split(/(?= )/)) {
    tokens.push(effectToken(text, start, effects[tokens.length] ?? 0));
    start += text.length;
  }
  tokens.push(effectToken('<|im_end|>', start, 0, { start, end: start }));
  return {
    title: 'Title-word of the map',
    example: 'example-word-7',
    user: 'Usula Userword',
    query: 'Queryword about slate',
    response,
    history: [{ id: 'h-word-1', time: '2020-01-02', query: 'Earlierquery', text: 'Historyword was here' }],
    model: 'embedded',
    tokens,
    meta: { reference: 'removed', note: 'Metaword', items: 1 },
    ...extra,
  };
}
