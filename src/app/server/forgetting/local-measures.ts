/** @file What a forgetting measures with a model that is opened here: `nextquill store forget --model`. */
import { unlessTooLong } from '../../../method/prompts/left-out.ts';
import { type PromptPair, promptPair } from '../../../method/prompts/pair.ts';
import type { Scorer } from '../../../method/scoring/pair-effects.ts';
import { createScorer } from '../../../method/scoring/scorer.ts';
import type { OpenedModel } from '../../open/scored-model.ts';
import type { ForgettingMeasures, ForgettingProbe } from '../store-contract.ts';

/**
 * Scores probes by the model, with the adapter that is asked for. A graph is compiled once for each adapter; no score is kept.
 * @param open opens the model with the adapter in a folder, or without
 */
export function localMeasures(
  open: (folder: string | undefined) => Promise<OpenedModel>,
  { threads }: { readonly threads?: number } = {},
): ForgettingMeasures & AsyncDisposable {
  const opened = new Map<string, Promise<{ readonly model: OpenedModel; readonly scorer: Scorer }>>();
  const scoring = async (folder: string | undefined) => {
    const model = await open(folder);
    return { model, scorer: createScorer(model, threads === undefined ? {} : { threads }) };
  };
  return {
    logProbabilities: async (probes, adapter) => {
      const key = adapter?.hash ?? '';
      const found = opened.get(key) ?? scoring(adapter?.folder);
      opened.set(key, found);
      const { model, scorer } = await found;
      const effects = await scorer.effects(probes.map((probe) => fittingPair(probe, model)));
      return effects.map(({ logProbWithHistory, logProbWithoutHistory }) => ({
        withHistory: [...logProbWithHistory],
        withoutHistory: [...logProbWithoutHistory],
      }));
    },
    releaseUser: async () => {},
    [Symbol.asyncDispose]: async () => {
      for (const each of opened.values()) await (await each).scorer[Symbol.asyncDispose]();
    },
  };
}

/** The prompts of a probe; its text is halved until they fit, for a user with long texts is forgotten too. */
function fittingPair(probe: ForgettingProbe, { model: { tokenizer }, prompt }: OpenedModel): PromptPair {
  const { history } = probe;
  let { query, text: response } = probe;
  for (;;) {
    const example = { id: 'probe', user: '', query, response, history };
    const pair = unlessTooLong(() => promptPair(example, tokenizer, prompt), response.length < 2);
    if (pair !== undefined) return pair;
    query = halfOf(query);
    response = halfOf(response);
  }
}

/** The first half of a text, without half of a surrogate pair at its end. */
const halfOf = (text: string) => text.slice(0, Math.ceil(text.length / 2)).replace(/[\uD800-\uDBFF]$/, '');
