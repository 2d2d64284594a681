/** @file `nextquill evaluate`: held-out likelihood with the user's history, without, and with other users'; author identification. */

import { ConfigError } from '../../../base/errors.ts';
import { checkFilePlace } from '../../../base/output-place.ts';
import { evaluate, pairedDifferences } from '../../../method/evaluation/evaluate.ts';
import { measures } from '../../../method/evaluation/results.ts';
import { type WrittenTexts, writeTexts } from '../../../method/generation/write-texts.ts';
import { choiceRules } from '../../../method/metrics/score-choices.ts';
import { DEFAULT_OTHERS } from '../../../method/others/others-histories.ts';
import type { OthersBy } from '../../../method/others/similar.ts';
import { DEFAULT_STRENGTHS } from '../../../method/strength/history-strength.ts';
import { type OpenedModel, openScoredModel } from '../../open/scored-model.ts';
import { warnOfTrainedRows } from '../../open/trained-on.ts';
import { isRemoteSource, needsWeights } from '../../remote/address.ts';
import { type ChoiceFlags, evaluateChoices } from '../choices.ts';
import type { CliCommand, Session } from '../command.ts';
import { addEngineFlags } from '../engine.ts';
import { printEvaluation, writeReport } from '../evaluation-output.ts';
import {
  addCacheFlag,
  addDataFlags,
  addEmbeddingsFlag,
  addFlag,
  addForceFlag,
  addLabelsFlag,
  addModelFlags,
  addOthersFlag,
  addSplitFlag,
  addStrictFlag,
  oneOf,
  wholeNumber,
} from '../flags.ts';
import { addRemoteFlags } from '../remote-flags.ts';
import {
  openCache,
  openHeldOut,
  openingOf,
  type Scoring,
  type ScoringFlags,
  scoredTokens,
} from '../scoring.ts';

interface EvaluateFlags extends ScoringFlags, ChoiceFlags {
  readonly others?: number;
  readonly othersBy?: OthersBy;
  readonly candidates?: number;
  readonly baseline?: string;
  readonly generate?: number;
  readonly maxNewTokens?: number;
  readonly cache?: boolean;
  readonly out?: string;
  readonly force?: boolean;
}

/** What `--baseline` calls the model without an adapter. */
const BASE = 'base';

export const evaluateCommand: CliCommand = {
  define: (command) => {
    addModelFlags(command);
    addEmbeddingsFlag(command);
    addEngineFlags(command);
    addRemoteFlags(command);
    addDataFlags(command);
    addSplitFlag(command, 'test where the data has splits');
    addStrictFlag(command);
    addOthersFlag(command, ' (default: 3, or as many as there are users)');
    addFlag(
      command,
      '--candidates <K>',
      'number of histories to identify the author among, the user’s own included; the same as --others K − 1',
      (flag) => wholeNumber(flag, 2),
    );
    addFlag(
      command,
      '--baseline <adapter>',
      `compare with another adapter of the model, or with ${BASE} (the model without an adapter): paired differences with p-values`,
    );
    addFlag(
      command,
      '--generate <N>',
      'also generate texts for the first N examples and score them: ROUGE, METEOR, BLEU, style, share copied, whose history they fit',
      (flag) => wholeNumber(flag, 1),
    );
    addFlag(
      command,
      '--max-new-tokens <n>',
      'generate at most this many tokens for each (default: 100)',
      (flag) => wholeNumber(flag, 1),
    );
    addFlag(
      command,
      '--choices <rule>',
      `choose among answers in place of scoring texts: the options of each question (PersonaMem) or the labels of a LaMP task; by ${choiceRules.join(', ')}`,
      (flag) => oneOf(flag, choiceRules),
    );
    addLabelsFlag(command, 'to choose among', 'those of the data');
    addFlag(command, '--out <file>', 'also write the report to FILE.html');
    addForceFlag(command);
    addCacheFlag(command);
    command.addHelpText(
      'after',
      '\nExample: nextquill evaluate --model embedded --adapter runs/a/adapter --baseline base --data sotu',
    );
  },
  run: async (_operands, flags, session) => {
    const given = flags as EvaluateFlags;
    if (given.choices !== undefined) return evaluateChoices(given, session);
    if (given.labels !== undefined)
      throw new ConfigError(`--labels: expected --choices beside it, got ${given.labels.join(',')} alone`, {
        code: 'usage/choices',
        hint: 'Add --choices likelihood.',
      });
    if (given.maxNewTokens !== undefined && given.generate === undefined)
      throw new ConfigError(
        `--max-new-tokens: expected --generate beside it, got ${given.maxNewTokens} alone`,
        {
          code: 'usage/generate',
          hint: 'Add --generate N.',
        },
      );
    if (isRemoteSource(given.model ?? '') && (given.generate ?? given.baseline) !== undefined)
      throw needsWeights(given.model!);
    requireHtml(given.out);
    if (given.out !== undefined) await checkFilePlace(given.out, { force: given.force });
    const scoring = await openHeldOut(given, 'test', session);
    const { opened, rows, all } = scoring;
    const { seed, threads } = session.options;
    const others = othersOf(given);
    const tokens = scoredTokens(session);
    const cache = given.cache ? await openCache(session) : undefined;
    const evaluated = (system: OpenedModel) =>
      evaluate(system.name, system, rows, {
        prompt: opened.prompt,
        pool: all,
        ...(given.strict && { strict: true }),
        ...(others !== undefined && { others }),
        ...(given.othersBy && { othersBy: given.othersBy }),
        ...(seed !== undefined && { seed }),
        ...(threads !== undefined && { threads }),
        ...(cache && { cache }),
        strengths: DEFAULT_STRENGTHS,
        onTokens: tokens.onTokens,
        signal: session.signal,
        onProgress: session.progress,
        onNotice: session.notice,
      });
    const other = given.baseline === undefined ? undefined : await openBaseline(given, scoring, session);
    const evaluation = await evaluated(opened);
    const baseline = other && (await evaluated(other));
    const comparison = baseline && {
      baseline: baseline.system,
      differences: pairedDifferences(evaluation, baseline, measures, seed === undefined ? {} : { seed }),
    };
    const k = evaluation.system.authorIdentification?.k;
    if (others === undefined && k !== undefined && k < DEFAULT_OTHERS + 1)
      session.warn(
        `authors are identified among ${k} histories, not ${DEFAULT_OTHERS + 1}: too few users have one`,
      );
    const written = await writtenTexts(given, scoring, session);
    printEvaluation(evaluation, opened.prompt, { comparison, written, tokens: tokens.total() }, session);
    tokens.note();
    if (given.out !== undefined)
      await writeReport(
        given.out,
        { evaluation, baseline, differences: comparison?.differences },
        scoring,
        session,
      );
  },
};

/** Shares above this are reported as a warning: users hardly repeat five words of their own (docs/results.md, "Copying"). */
const MUCH_COPIED = 0.1;

/** Texts of the first examples, greedily written, as `--generate` asks. */
async function writtenTexts(
  { generate, maxNewTokens = 100, ...given }: EvaluateFlags,
  { opened, rows, all }: Scoring,
  { options: { threads, seed }, signal, progress, warn }: Session,
): Promise<WrittenTexts | undefined> {
  if (generate === undefined) return undefined;
  const others = othersOf(given);
  const written = await writeTexts(opened, rows.slice(0, generate), {
    prompt: opened.prompt,
    maxNewTokens,
    authors: {
      pool: all,
      ...(others !== undefined && { others }),
      ...(seed !== undefined && { seed }),
    },
    ...(threads !== undefined && { threads }),
    signal,
    onProgress: progress,
  });
  const { copied } = written.metrics;
  if (typeof copied === 'object' && copied.value > MUCH_COPIED)
    warn(
      `${(100 * copied.value).toFixed(0)} % of the written words stand in runs of five and more of the history: overlap with what users wrote may be copied, not learnt`,
    );
  return written;
}

/** Others by either flag. @throws {ConfigError} for both with different numbers */
function othersOf({ others, candidates }: EvaluateFlags): number | undefined {
  if (candidates === undefined) return others;
  if (others === undefined || others === candidates - 1) return candidates - 1;
  throw new ConfigError(`--candidates: expected --others and one more, ${others + 1}, got ${candidates}`, {
    code: 'usage/candidates',
    hint: 'Give --others alone.',
  });
}

/** The system to compare with, prompted as the other one is. */
async function openBaseline(
  { model, baseline, adapter }: EvaluateFlags,
  { opened, rows }: Scoring,
  session: Session,
): Promise<OpenedModel> {
  const folder = baseline === BASE ? undefined : baseline;
  if (folder === adapter)
    throw new ConfigError(
      `--baseline: expected another system than the one evaluated, got ${baseline} again`,
      {
        code: 'usage/baseline',
        hint: 'Name another adapter, or name one with --adapter and compare with base.',
      },
    );
  await warnOfTrainedRows(folder ?? model!, rows, session.warn);
  return openScoredModel(model!, {
    ...(folder !== undefined && { adapter: folder }),
    ...openingOf(session, opened.model.worker),
    prompt: opened.prompt,
    onWarning: session.warn,
  });
}

/** @throws {ConfigError} for a name that does not say HTML, before anything is scored */
function requireHtml(out: string | undefined): void {
  if (out === undefined || out.endsWith('.html')) return;
  throw new ConfigError(`--out: expected a name that ends in .html, got "${out}"`, {
    code: 'usage/out',
    hint: 'Use --json for the numbers.',
  });
}
