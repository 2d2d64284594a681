/** @file Prompts that occur more than once, such as a history that is as short as the candidates', are scored once. */
import type { ScoredPrompt } from '../prompts/collate.ts';

/** The prompts that differ, in the order of their first occurrence, and for each of `prompts` the index of its own. */
export function distinctPrompts(prompts: readonly ScoredPrompt[]): {
  prompts: ScoredPrompt[];
  index: number[];
} {
  const places = new Map<string, number>();
  const kept: ScoredPrompt[] = [];
  const index = prompts.map((prompt) => {
    const { promptIds, responseIds, targetIds = responseIds } = prompt;
    const key = `${promptIds.join()}|${responseIds.join()}|${targetIds.join()}`;
    let place = places.get(key);
    if (place === undefined) {
      place = kept.length;
      places.set(key, place);
      kept.push(prompt);
    }
    return place;
  });
  return { prompts: kept, index };
}
