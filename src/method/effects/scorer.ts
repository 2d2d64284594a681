/** @file Runs a model over prompts and their responses: log-probabilities of one pass, effects of a pair of passes. */
import { throwIfAborted } from '../../base/errors.ts';
import { rotaryInputs, rotaryTables, tokenFeeds, tokenInputs } from '../../engine/models/blocks.ts';
import type { Model } from '../../engine/models/model.ts';
import {
  frozenParameters,
  type LoraOptions,
  loraParameters,
  trainedParameters,
} from '../../engine/models/parameters.ts';
import { compile } from '../../engine/onnx/program.ts';
import { input, selectedLogProbability } from '../../engine/ops/operators.ts';
import { type Value, withScope } from '../../engine/ops/value.ts';
import { createSession, type HostTensor, type Session } from '../../engine/runtime/session.ts';
import { mappedWeights } from '../../engine/weights/mapped-weights.ts';
import { groupFeeds, groupInputs } from '../objectives/groups.ts';
import { type ObjectiveName, type ObjectiveOptions, objectiveWeights } from '../objectives/objectives.ts';
import { checkAligned, collate } from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';
import { tokenEffects } from './effects.ts';

/** A model as it is to be scored: frozen, with an adapter, or with weights under training. */
export interface ScoredModel {
  readonly model: Model;
  /** LoRA matrices by PEFT's names. */
  readonly adapter?: { readonly lora: LoraOptions; readonly tensors: Readonly<Record<string, HostTensor>> };
  /** All parameters by name, in place of the file's. */
  readonly trained?: Readonly<Record<string, HostTensor>>;
}

export interface ScorerOptions {
  readonly threads?: number;
  /** Whose weights `effects` reports; uniform when absent. */
  readonly objective?: ObjectiveName;
  readonly objectiveOptions?: ObjectiveOptions;
  /** Padded tokens of one run at most, but for a longer single prompt; 4096 by default. */
  readonly tokensPerRun?: number;
  readonly signal?: AbortSignal;
}

/** Effects of the response tokens of one pair, each f32[S]; natural logarithms (see effects.ts). */
export interface PairEffects {
  readonly logProbWithHistory: Float32Array;
  readonly logProbWithoutHistory: Float32Array;
  readonly probability: Float32Array;
  readonly logRatio: Float32Array;
  readonly divergence: Float32Array;
  /** The objective's, summing to 1. */
  readonly weight: Float32Array;
}

/** A prompt with the response whose tokens are scored. */
export interface ScoredPrompt {
  readonly promptIds: readonly number[];
  readonly responseIds: readonly number[];
}

export interface Scorer extends AsyncDisposable {
  /** log p of every response token, nats; in the order given. `onDone` counts prompts. */
  logProbabilities(
    prompts: readonly ScoredPrompt[],
    onDone?: (done: number) => void,
  ): Promise<Float32Array[]>;
  /** Effects of every response token; in the order given. Exactly 0 for pairs without history. */
  effects(pairs: readonly PromptPair[], onDone?: (done: number) => void): Promise<PairEffects[]>;
}

/** Logits of one run at most: 128 MiB of f32, a few times over. */
const LOGITS_PER_RUN = 1 << 25;

/** A scorer; its graphs are compiled when first used. */
export function createScorer(scored: ScoredModel, options: ScorerOptions = {}): Scorer {
  const { model, adapter, trained } = scored;
  const { config, architecture } = model;
  const { threads, objective = 'sft', objectiveOptions, tokensPerRun = 4096, signal } = options;
  const source =
    adapter !== undefined ? loraParameters(adapter.lora) : trained ? trainedParameters() : frozenParameters();
  const parameterFeeds = adapter?.tensors ?? trained ?? {};
  const mapped = mappedWeights(model.weights);
  const tables = rotaryInputs(config.headSize);
  const targets = input('targets', 'i64', ['S']);
  const sessions = new Map<string, Promise<Session>>();

  const logitsOf = (pass: string, length: string) =>
    withScope(pass, () => {
      const rows = input(`${pass}.rows`, 'i64', ['S']);
      const hidden = architecture.hidden(config, source, tokenInputs(pass, 'B', length), tables, rows);
      return architecture.logits(config, source, hidden);
    });
  const session = (name: string, outputs: () => Record<string, Value>) => {
    const known = sessions.get(name);
    if (known !== undefined) return known;
    const made = createSession(compile(outputs(), mapped.tensors), {
      weightsFolder: mapped.folder,
      ...(threads === undefined ? {} : { threads }),
    });
    sessions.set(name, made);
    return made;
  };
  const single = () =>
    session('single', () => ({ logProbability: selectedLogProbability(logitsOf('prompt', 'T'), targets) }));
  const pair = () =>
    session('pair', () => {
      const both = {
        withHistory: logitsOf('withHistory', 'T'),
        withoutHistory: logitsOf('withoutHistory', 'U'),
        targets,
      };
      const effects = tokenEffects(both);
      return { ...effects, weight: objectiveWeights(objective, both, groupInputs(), objectiveOptions) };
    });

  let rotaryFeeds: Record<string, HostTensor> = {};
  let positions = 0;
  const passFeeds = (pass: string, prompts: readonly ScoredPrompt[]) => {
    const batch = collate(prompts, { padId: model.tokenizer.padId, side: 'right' });
    if (batch.length > positions) {
      positions = Math.max(64, 2 ** Math.ceil(Math.log2(batch.length)));
      rotaryFeeds = rotaryTables(config.ropeTheta, config.headSize, positions);
    }
    const feeds: Record<string, HostTensor> = {
      ...tokenFeeds(pass, batch),
      ...rotaryFeeds,
      ...parameterFeeds,
      [`${pass}.rows`]: { data: batch.responseRows, shape: [batch.responseRows.length] },
      targets: { data: batch.targets, shape: [batch.targets.length] },
    };
    return { batch, feeds };
  };
  /** Runs `score` over groups of similar length, and puts the results back into the order given. */
  async function inGroups<T>(
    prompts: readonly ScoredPrompt[],
    score: (indices: readonly number[]) => Promise<T[]>,
    onDone: ((done: number) => void) | undefined,
  ): Promise<T[]> {
    const results = new Array<T>(prompts.length);
    let done = 0;
    for (const indices of groupsByLength(prompts, tokensPerRun, LOGITS_PER_RUN / config.vocabularySize)) {
      throwIfAborted(signal);
      const scores = await score(indices);
      indices.forEach((index, i) => {
        results[index] = scores[i]!;
      });
      done += indices.length;
      onDone?.(done);
    }
    return results;
  }

  return {
    logProbabilities: (prompts, onDone) =>
      inGroups(
        prompts,
        async (indices) => {
          const chosen = indices.map((index) => prompts[index]!);
          const { feeds } = passFeeds('prompt', chosen);
          const { logProbability } = await (await single()).run(feeds);
          return splitBy(chosen, logProbability!);
        },
        onDone,
      ),
    effects: (pairs, onDone) =>
      inGroups(
        pairs.map((p) => ({ promptIds: p.withHistoryIds, responseIds: p.responseIds })),
        async (indices) => {
          const chosen = indices.map((index) => pairs[index]!);
          const pass = (ids: 'withHistoryIds' | 'withoutHistoryIds') =>
            chosen.map((p) => ({ promptIds: p[ids], responseIds: p.responseIds }));
          const first = passFeeds('withHistory', pass('withHistoryIds'));
          const second = passFeeds('withoutHistory', pass('withoutHistoryIds'));
          checkAligned(first.batch, second.batch);
          const groups = groupFeeds(
            first.batch.exampleOf,
            chosen.map((p) => p.hasHistory),
            chosen.length,
          );
          const results = await (await pair()).run({ ...second.feeds, ...first.feeds, ...groups });
          const parts = Object.fromEntries(
            Object.entries(results).map(([name, values]) => [name, splitBy(chosen, values)]),
          );
          return chosen.map((p, i) => {
            const effects = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part[i]!]));
            return p.hasHistory
              ? (effects as unknown as PairEffects)
              : withoutEffect(effects as unknown as PairEffects);
          });
        },
        onDone,
      ),
    [Symbol.asyncDispose]: async () => {
      for (const made of sessions.values()) await (await made)[Symbol.asyncDispose]();
    },
  };
}

/** One prompt: its second pass differs by rounding only, and the effect is 0 by definition. */
function withoutEffect({ logProbWithHistory, weight }: PairEffects): PairEffects {
  const zero = new Float32Array(weight.length);
  const logProbWithoutHistory = logProbWithHistory;
  return {
    logProbWithHistory,
    logProbWithoutHistory,
    probability: zero,
    logRatio: zero,
    divergence: zero,
    weight,
  };
}

/** Cuts a result for all response tokens into one part for each prompt. */
function splitBy(prompts: readonly Pick<ScoredPrompt, 'responseIds'>[], values: HostTensor): Float32Array[] {
  let at = 0;
  return prompts.map(({ responseIds }) => {
    const part = (values.data as Float32Array).slice(at, at + responseIds.length);
    at += responseIds.length;
    return part;
  });
}

/** Indices in groups of similar length, within a budget of padded tokens and of response tokens. */
function groupsByLength(
  prompts: readonly ScoredPrompt[],
  tokens: number,
  responseTokens: number,
): number[][] {
  const length = (index: number) => prompts[index]!.promptIds.length + prompts[index]!.responseIds.length;
  const order = prompts.map((_, index) => index).sort((a, b) => length(a) - length(b) || a - b);
  const groups: number[][] = [];
  let responses = 0;
  for (const index of order) {
    const group = groups.at(-1);
    const added = prompts[index]!.responseIds.length;
    if (group && (group.length + 1) * length(index) <= tokens && responses + added <= responseTokens) {
      group.push(index);
      responses += added;
    } else {
      groups.push([index]);
      responses = added;
    }
  }
  return groups;
}
