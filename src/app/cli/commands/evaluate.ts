/** @file `nextquill evaluate`: held-out likelihood with the user's history, without, and with other users'; author identification. */

import { writeFileAtomically } from '../../../base/atomic-file.ts';
import { ConfigError } from '../../../base/errors.ts';
import { decimal, estimateText } from '../../../base/number-format.ts';
import { checkFilePlace } from '../../../base/output-place.ts';
import { shownSide } from '../../../base/statistics/estimate.ts';
import { evaluate, pairedDifferences, type SystemEvaluation } from '../../../method/evaluation/evaluate.ts';
import { measures, type PairedDifference, type SystemResult } from '../../../method/evaluation/results.ts';
import { type WrittenTexts, writeTexts, writtenMetrics } from '../../../method/generation/write-texts.ts';
import { DEFAULT_OTHERS } from '../../../method/others/others-histories.ts';
import type { OthersBy } from '../../../method/others/similar.ts';
import type { PromptSettings } from '../../../method/prompts/pair.ts';
import { renderComparison } from '../../../reports/comparison/comparison-html.ts';
import {
  alignedColumns,
  differencesTable,
  systemsTable,
} from '../../../reports/comparison/comparison-table.ts';
import { systemJson } from '../../../reports/comparison/system-json.ts';
import { historyAnswer } from '../../../reports/text/history-answer.ts';
import { leftOutTexts } from '../../../reports/text/left-out-text.ts';
import { matchingText } from '../../../reports/text/matching-text.ts';
import { portableName } from '../../../reports/text/portable-name.ts';
import { settingsText } from '../../../reports/text/settings-text.ts';
import { type OpenedModel, openScoredModel } from '../../open/scored-model.ts';
import { warnOfTrainedRows } from '../../open/trained-on.ts';
import type { CliCommand, Session } from '../command.ts';
import {
  addDataFlags,
  addFlag,
  addForceFlag,
  addModelFlags,
  addOthersFlag,
  addSplitFlag,
  addStrictFlag,
  wholeNumber,
} from '../flags.ts';
import { openHeldOut, openingOf, type Scoring, type ScoringFlags } from '../scoring.ts';

interface EvaluateFlags extends ScoringFlags {
  readonly others?: number;
  readonly othersBy?: OthersBy;
  readonly candidates?: number;
  readonly baseline?: string;
  readonly generate?: number;
  readonly maxNewTokens?: number;
  readonly out?: string;
  readonly force?: boolean;
}

/** What `--baseline` calls the model without an adapter. */
const BASE = 'base';

export const evaluateCommand: CliCommand = {
  define: (command) => {
    addModelFlags(command);
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
      'also generate texts for the first N examples and score them: ROUGE, METEOR, BLEU, style, share copied',
      (flag) => wholeNumber(flag, 1),
    );
    addFlag(
      command,
      '--max-new-tokens <n>',
      'generate at most this many tokens for each (default: 100)',
      (flag) => wholeNumber(flag, 1),
    );
    addFlag(command, '--out <file>', 'also write the report to FILE.html');
    addForceFlag(command);
    command.addHelpText(
      'after',
      '\nExample: nextquill evaluate --model embedded --adapter runs/a/adapter --baseline base --data sotu',
    );
  },
  run: async (_operands, flags, session) => {
    const given = flags as EvaluateFlags;
    if (given.maxNewTokens !== undefined && given.generate === undefined)
      throw new ConfigError(
        `--max-new-tokens: expected --generate beside it, got ${given.maxNewTokens} alone`,
        {
          code: 'usage/generate',
          hint: 'Add --generate N.',
        },
      );
    requireHtml(given.out);
    if (given.out !== undefined) await checkFilePlace(given.out, { force: given.force });
    const scoring = await openHeldOut(given, 'test', session);
    const { opened, rows, all } = scoring;
    const { seed, threads } = session.options;
    const others = othersOf(given);
    const evaluated = (system: OpenedModel) =>
      evaluate(system.name, system, rows, {
        prompt: opened.prompt,
        pool: all,
        ...(given.strict && { strict: true }),
        ...(others !== undefined && { others }),
        ...(given.othersBy && { othersBy: given.othersBy }),
        ...(seed !== undefined && { seed }),
        ...(threads !== undefined && { threads }),
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
    printEvaluation(evaluation, opened.prompt, comparison, written, session);
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
  { generate, maxNewTokens = 100 }: EvaluateFlags,
  { opened, rows }: Scoring,
  { options: { threads }, signal, progress, warn }: Session,
): Promise<WrittenTexts | undefined> {
  if (generate === undefined) return undefined;
  const written = await writeTexts(opened, rows.slice(0, generate), {
    prompt: opened.prompt,
    maxNewTokens,
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
    ...openingOf(session),
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

interface Reported {
  readonly evaluation: SystemEvaluation;
  readonly baseline: SystemEvaluation | undefined;
  readonly differences: readonly PairedDifference[] | undefined;
}

async function writeReport(
  out: string,
  { evaluation, baseline, differences }: Reported,
  { opened, source }: Scoring,
  session: Session,
): Promise<void> {
  const named = (system: SystemEvaluation) => portableName(system.system.name);
  const systems = [...(baseline === undefined ? [] : [baseline]), evaluation];
  const html = renderComparison({
    question: 'Does the model use a user’s own history?',
    facts: `Evaluation of ${named(evaluation)} on ${portableName(source)}`,
    system: named(evaluation),
    evaluations: [
      {
        name: portableName(source),
        users: new Set(evaluation.scores.map(({ user }) => user)).size,
        examples: evaluation.scores.length,
        systems: systems.map((each) => ({ ...each.system, name: named(each) })),
        historyEffects: systems.map((each) => ({ ...each.historyEffect, system: named(each) })),
        ...(differences && {
          differences: differences.map((each) => ({
            ...each,
            system: portableName(each.system),
            baseline: portableName(each.baseline),
          })),
        }),
      },
    ],
    warnings: leftOutTexts(evaluation.leftOut, opened.prompt.maxTokens),
    provenance: [
      ['Model', `${named(evaluation)}, hash ${opened.model.hash.slice(0, 12)}`],
      ['Data', portableName(source)],
      ['Prompt', settingsText(opened.prompt)],
      ['Seed', String(session.options.seed ?? 0)],
    ],
  });
  await writeFileAtomically(out, (file) => file.writeFile(html));
  session.note(`report  ${out}`);
}

/** Two systems on the same examples. */
interface Comparison {
  readonly baseline: SystemResult;
  readonly differences: readonly PairedDifference[];
}

function printEvaluation(
  evaluation: SystemEvaluation,
  { reference, maxTokens }: PromptSettings,
  comparison: Comparison | undefined,
  written: WrittenTexts | undefined,
  session: Session,
): void {
  const { system, historyEffect, scores, leftOut } = evaluation;
  const users = new Set(scores.map(({ user }) => user)).size;
  const { system: _, ...effects } = historyEffect;
  if (session.options.json) {
    const counts = { users, examples: scores.length, leftOut };
    const document = {
      ...systemJson(system),
      historyEffect: effects,
      reference,
      ...counts,
      ...(comparison && { ...comparison, baseline: systemJson(comparison.baseline) }),
      ...(written && {
        generated: { texts: written.texts.length, empty: written.empty, ...written.metrics },
      }),
    };
    session.print(`${JSON.stringify(document)}\n`);
    return;
  }
  const against = reference === 'placebo' ? 'the reference' : 'none';
  const { name, nllWithHistory, nllWithoutHistory, nllOtherHistory, authorIdentification: author } = system;
  const lines = [
    historyAnswer(shownSide(effects.total, users), shownSide(effects.userSpecific, users)),
    ...leftOutTexts(leftOut, maxTokens).map((text) => `! ${text}`),
    '',
    `${name}: ${scores.length} texts of ${users} users; mean over users [95% interval by user]`,
    '',
    ...alignedColumns(
      [
        [`A  own history against ${against}`, estimateText(effects.total), 'nats a token'],
        [`B  another user’s against ${against}`, estimateText(effects.generic), 'nats a token'],
        ['C  own against another user’s', estimateText(effects.userSpecific), 'nats a token'],
        ['NLL with history', estimateText(nllWithHistory), 'nats a token'],
        [
          reference === 'placebo' ? 'NLL with the reference' : 'NLL without history',
          estimateText(nllWithoutHistory),
          reference === 'placebo' ? 'nats a token; another user’s history stands for none' : 'nats a token',
        ],
        ['NLL with another user’s history', estimateText(nllOtherHistory), 'nats a token'],
        ...(author === undefined
          ? []
          : [
              [
                'author identified',
                estimateText(author),
                `among ${author.k} histories; chance ${(1 / author.k).toFixed(3)}`,
              ],
            ]),
      ],
      () => false,
    ),
    ...(author === undefined ? [] : ['', `histories matched in ${matchingText(author.matching)}`]),
    ...(comparison === undefined
      ? []
      : [
          '',
          `baseline: ${comparison.baseline.name}`,
          systemsTable([
            { ...system, name: 'evaluated' },
            { ...comparison.baseline, name: 'baseline' },
          ]),
          'Differences, paired by user; p of the permutation test, not corrected for their number',
          differencesTable(
            comparison.differences.map((each) => ({ ...each, system: 'evaluated', baseline: 'baseline' })),
          ).trimEnd(),
        ]),
  ];
  if (written !== undefined) lines.push('', ...writtenLines(written));
  session.print(`${lines.join('\n')}\n`);
}

function writtenLines({ texts, empty, metrics }: WrittenTexts): string[] {
  return [
    `${texts.length} texts written with the history, the likeliest token at every step, ${empty} of them empty`,
    '',
    ...alignedColumns(
      writtenMetrics.flatMap((name) => {
        const value = metrics[name];
        if (value === undefined) return [];
        return [
          [name, typeof value === 'number' ? decimal(value, 3) : estimateText(value, 3), metricWords[name]],
        ];
      }),
      () => false,
    ),
  ];
}

const metricWords: Readonly<Record<(typeof writtenMetrics)[number], string>> = {
  rouge1: 'of 1, beside what the user wrote',
  rougeL: 'of 1',
  meteor: 'of 1',
  bleu: 'of 100',
  copied: 'share of words in runs of five and more of the history',
  lengthDistance: 'from the history, 0 the same',
  punctuationDistance: 'from the history',
  functionWordDistance: 'from the history',
};
