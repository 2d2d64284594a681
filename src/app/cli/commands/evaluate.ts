/** @file `nextquill evaluate`: held-out likelihood with the user's history, without, and with other users'; author identification. */
import { ConfigError } from '../../../base/errors.ts';
import { estimateText } from '../../../base/number-format.ts';
import type { SystemEvaluation } from '../../../method/evaluation/evaluate.ts';
import {
  type Measure,
  measureDescriptions,
  type PairedDifference,
  type SystemResult,
} from '../../../method/evaluation/results.ts';
import { DEFAULT_OTHERS } from '../../../method/others/others-histories.ts';
import type { PromptSettings } from '../../../method/prompts/pair.ts';
import { alignedColumns, differencesTable } from '../../../reports/comparison/comparison-table.ts';
import { warnOfLeakage } from '../../files/example-rows.ts';
import type { OpenedModel } from '../../open/scored-model.ts';
import { warnOfTrainedRows } from '../../open/trained-on.ts';
import type { CliCommand, Session } from '../command.ts';
import { addDataFlags, addFlag, addModelFlags, addOthersFlag, addSplitFlag, wholeNumber } from '../flags.ts';
import { openForScoring, openingOf, type Scoring, type ScoringFlags } from '../scoring.ts';

interface EvaluateFlags extends ScoringFlags {
  readonly others?: number;
  readonly candidates?: number;
  readonly baseline?: string;
}

/** What `--baseline` calls the model without an adapter. */
const BASE = 'base';

export const evaluateCommand: CliCommand = {
  name: 'evaluate',
  summary: 'held-out likelihood with, without and with others’ histories; author identification',
  define: (command) => {
    addModelFlags(command);
    addDataFlags(command);
    addSplitFlag(command, 'test where the data has splits');
    addOthersFlag(command, ' (default: 3, or as many as there are users)');
    addFlag(
      command,
      '--candidates <K>',
      'histories that identification chooses among, the others’ and the own one: --others K − 1',
      (flag) => wholeNumber(flag, 2),
    );
    addFlag(
      command,
      '--baseline <adapter>',
      `compare with another adapter of the model, or with ${BASE}, the model without one: paired differences with p-values`,
    );
    command.addHelpText(
      'after',
      '\nExample: nextquill evaluate --model embedded --adapter runs/a/adapter --baseline base --data sotu',
    );
  },
  run: async (_operands, flags, session) => {
    const given = flags as EvaluateFlags;
    const scoring = await openForScoring(given, 'test', session);
    warnOfLeakage(scoring.all, session.warn);
    await warnOfTrainedRows(given.adapter ?? given.model!, scoring.rows, session.warn);
    const { evaluate, pairedDifferences } = await import('../../../method/evaluation/evaluate.ts');
    const { opened, rows, all } = scoring;
    const { seed, threads } = session.options;
    const others = othersOf(given);
    const evaluated = (system: OpenedModel) =>
      evaluate(system.name, system, rows, {
        prompt: opened.prompt,
        pool: all,
        ...(others !== undefined && { others }),
        ...(seed !== undefined && { seed }),
        ...(threads !== undefined && { threads }),
        signal: session.signal,
        onProgress: session.progress,
        onWarning: session.warn,
      });
    const other = given.baseline === undefined ? undefined : await openBaseline(given, scoring, session);
    const evaluation = await evaluated(opened);
    const baseline = other && (await evaluated(other));
    const measures = Object.keys(measureDescriptions) as Measure[];
    const comparison = baseline && {
      baseline: baseline.system,
      differences: pairedDifferences(evaluation, baseline, measures, seed === undefined ? {} : { seed }),
    };
    const k = evaluation.system.authorIdentification?.k;
    if (others === undefined && k !== undefined && k < DEFAULT_OTHERS + 1)
      session.warn(
        `authors are identified among ${k} histories, not ${DEFAULT_OTHERS + 1}: too few users have one`,
      );
    printEvaluation(evaluation, opened.prompt, comparison, session);
  },
};

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
  const { openScoredModel } = await import('../../open/scored-model.ts');
  return openScoredModel(model!, {
    ...(folder !== undefined && { adapter: folder }),
    ...openingOf(session),
    prompt: opened.prompt,
    onWarning: session.warn,
  });
}

/** Two systems on the same examples. */
interface Comparison {
  readonly baseline: SystemResult;
  readonly differences: readonly PairedDifference[];
}

function printEvaluation(
  { system, historyEffect, scores, withoutHistory, withoutOthers }: SystemEvaluation,
  { reference }: PromptSettings,
  comparison: Comparison | undefined,
  session: Session,
): void {
  const users = new Set(scores.map(({ user }) => user)).size;
  const { system: _, ...effects } = historyEffect;
  if (session.options.json) {
    const counts = { users, examples: scores.length, withoutHistory, withoutOthers };
    const document = { ...system, historyEffect: effects, reference, ...counts, ...comparison };
    session.print(`${JSON.stringify(document)}\n`);
    return;
  }
  const against = reference === 'placebo';
  const { name, nllWithHistory, nllWithoutHistory, nllOtherHistory, authorIdentification: author } = system;
  session.print(
    `${name}: ${scores.length} examples of ${users} users; means over users, 95 % intervals by user\n\n` +
      alignedColumns(
        [
          ['NLL with history', estimateText(nllWithHistory), 'nats a token'],
          [
            against ? 'NLL with the reference' : 'NLL without history',
            estimateText(nllWithoutHistory),
            against ? 'nats a token; another user’s history stands for none' : 'nats a token',
          ],
          ['NLL with others’ histories', estimateText(nllOtherHistory), 'nats a token'],
          [
            'history effect, total (A)',
            estimateText(effects.total),
            against
              ? 'nats a token; above 0 the history helps more than the reference'
              : 'nats a token; above 0 the history helps',
          ],
          [
            '  of it generic (B)',
            estimateText(effects.generic),
            against
              ? 'what other users’ histories do more than the reference; 0 but for chance'
              : 'another user’s history would do as well',
          ],
          ['  of it user-specific (C)', estimateText(effects.userSpecific), 'only this user’s history does'],
          ...(author === undefined
            ? []
            : [
                [
                  'author identified',
                  estimateText(author),
                  `of ${author.k} candidates; chance ${(1 / author.k).toFixed(3)}`,
                ],
              ]),
        ],
        () => false,
      ).join('\n') +
      '\n' +
      (author === undefined ? '' : `\ncandidates matched in ${author.matching}\n`) +
      (withoutHistory > 0 ? `\n${withoutHistory} examples without a history that fits are left out.\n` : '') +
      (withoutOthers > 0
        ? `\n${withoutOthers} examples beside which no other user’s history fits are left out.\n`
        : '') +
      (comparison === undefined
        ? ''
        : `\nDifferences, paired by user; p of the permutation test, not corrected for their number\n${differencesTable(comparison.differences)}`),
  );
}
