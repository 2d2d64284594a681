/** @file Which prompts are scored in one run: rows of prompts that begin alike, in groups of similar length, within a budget of tokens. */
import type { Model } from '../../engine/models/model.ts';
import type { ScoredPrompt } from '../prompts/collate.ts';
import { type PlannedRow, planRows, type RowLimits, tokensOf } from '../prompts/shared-prefixes.ts';

/** Padded tokens of one run at most, except for a longer single prompt. */
const TOKENS_PER_RUN = 4096;

/**
 * Multiplications of one run at most, except for a longer single prompt: a run cannot be stopped, and this many take about a
 * second on two cores. It follows from the model alone, so that the same prompts are scored together on every machine.
 */
const MULTIPLICATIONS_PER_RUN = 2 ** 35;

type Sizes = Pick<Model, 'parameters' | 'config'>;

/** Padded tokens of one run at most: fewer for larger models, so that whoever stops the work is heard. */
function tokensOfOneRun({ parameters }: Pick<Model, 'parameters'>): number {
  const weights = parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return Math.min(TOKENS_PER_RUN, Math.ceil(MULTIPLICATIONS_PER_RUN / weights));
}

/** Logits of one run at most: 128 MiB of f32, a few times over. */
const LOGITS_PER_RUN = 1 << 25;

/** A row with branches may have this many times the tokens of its longest prompt: more would be heard too late, and need too much memory. */
const TIMES_LONGEST = 2;

/** What attention to one key costs beside its two products: masks and softmax read and write every score again. */
const SCORE_WEIGHT = 2;

/** Share of a row's keys that a query meets on average: attention goes block by block (engine/models/token-inputs.ts). */
const SHARE_OF_KEYS = 0.625;

/**
 * What a row of so many tokens costs a model, in multiplications of a forward pass.
 * @param scoreWeight what attention to one key costs beside its two products
 */
export function rowCost(
  { parameters, config }: Sizes,
  scoreWeight: number = SCORE_WEIGHT,
): RowLimits['cost'] {
  const { heads, headSize, layers, vocabularySize } = config;
  // Products of every token; the head's are those of the response alone, which no row shares.
  const perToken = parameters
    .filter(({ shape }) => shape.length === 2 && shape[0] !== vocabularySize)
    .reduce((sum, { shape }) => sum + shape[0]! * shape[1]!, 0);
  const perPair = scoreWeight * SHARE_OF_KEYS * 2 * heads * headSize * layers;
  return (tokens) => tokens * (perToken + perPair * tokens);
}

/** The limits of rows that a model scores. @param tokensPerRun padded tokens of one run at most, where the caller set them */
export function rowLimits(model: Sizes, tokensPerRun?: number): RowLimits {
  const usual = tokensOfOneRun(model);
  return {
    cost: rowCost(model),
    most: (longest) => tokensPerRun ?? Math.max(usual, TIMES_LONGEST * longest),
    mostResponses: LOGITS_PER_RUN / model.config.vocabularySize,
  };
}

/** The rows of one run. */
export type ScoringRun = readonly PlannedRow[];

/** What stands at the places of each row. */
export const rowsOf = <T>(run: ScoringRun, items: readonly T[]): T[][] =>
  run.map(({ places }) => places.map((place) => items[place]!));

/**
 * Prompts in runs: those that begin alike in one row, rows of similar length together, shortest first, within both budgets.
 * @param tokensPerRun padded tokens of one run at most, except for a longer single prompt; by default as many as suit the model
 */
export function scoringRuns(
  prompts: readonly ScoredPrompt[],
  model: Sizes,
  tokensPerRun?: number,
): ScoringRun[] {
  const responses = prompts.map(({ responseIds }) => responseIds.length);
  const rows = planRows(prompts.map(tokensOf), responses, rowLimits(model, tokensPerRun));
  return inRuns(rows, responses, model, tokensPerRun);
}

/** Texts in runs, each in a row of its own, whatever they share. */
export function separateRuns(
  prompts: readonly ScoredPrompt[],
  model: Sizes,
  tokensPerRun?: number,
): ScoringRun[] {
  const rows = prompts.map(({ promptIds, responseIds }, place) => ({
    places: [place],
    tokens: promptIds.length + responseIds.length,
  }));
  return inRuns(
    rows,
    prompts.map(({ responseIds }) => responseIds.length),
    model,
    tokensPerRun,
  );
}

function inRuns(
  rows: readonly PlannedRow[],
  responsesOf: readonly number[],
  model: Sizes,
  tokensPerRun = tokensOfOneRun(model),
): ScoringRun[] {
  const ordered = [...rows].sort((a, b) => a.tokens - b.tokens || a.places[0]! - b.places[0]!);
  const most = LOGITS_PER_RUN / model.config.vocabularySize;
  const runs: PlannedRow[][] = [];
  let responses = 0;
  for (const row of ordered) {
    const { places, tokens } = row;
    const run = runs.at(-1);
    const added = places.reduce((sum, place) => sum + responsesOf[place]!, 0);
    const fits = run !== undefined && (run.length + 1) * tokens <= tokensPerRun;
    if (fits && responses + added <= most) {
      run.push(row);
      responses += added;
    } else {
      runs.push([row]);
      responses = added;
    }
  }
  return runs;
}
