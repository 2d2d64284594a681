/** @file `nextquill metrics`: predicted texts against what users wrote, by the field's metrics and ours. */

import { ConfigError } from '../../../base/errors.ts';
import { decimal, estimateText } from '../../../base/number-format.ts';
import { type Estimate, FEWEST_FOR_INTERVAL } from '../../../base/statistics/estimate.ts';
import { namedLabels } from '../../../method/metrics/lamp.ts';
import { metricTable } from '../../../method/metrics/metric-table.ts';
import { type MetricsResult, metrics } from '../../../method/metrics/metrics.ts';
import { pairsFromJsonl } from '../../../method/metrics/read-pairs.ts';
import { alignedColumns } from '../../../reports/comparison/comparison-table.ts';
import type { CliCommand, Session } from '../command.ts';
import { addFlag, addLabelsFlag, required, separated, wholeNumber } from '../flags.ts';

interface MetricsFlags {
  readonly data?: string;
  readonly metrics?: readonly string[];
  readonly stemmer?: boolean;
  readonly wordnet?: string;
  readonly punkt?: string;
  readonly labels?: readonly string[];
  readonly bertscore?: string;
  readonly bertscoreLayer?: number;
}

export const metricsCommand: CliCommand = {
  define: (command) => {
    addFlag(command, '--data <F>', 'pairs: FILE.jsonl with rows {"prediction", "references": […]}');
    addFlag(
      command,
      '--metrics <names>',
      'metrics to compute, with commas between (default: those that need no task)',
      separated,
    );
    command.option('--stemmer', 'ROUGE compares Porter stems');
    addFlag(command, '--wordnet <folder>', 'WordNet 3.0’s files, for METEOR’s synonyms');
    addFlag(
      command,
      '--punkt <folder>',
      'Punkt’s parameters, such as nltk_data/tokenizers/punkt_tab/english, for METEOR’s sentences',
    );
    addFlag(
      command,
      '--bertscore <folder>',
      'encoder for BERTScore, such as a folder of roberta-large: model_type bert or roberta',
    );
    addFlag(
      command,
      '--bertscore-layer <n>',
      'layer that BERTScore compares (default: bert-score’s for models of 6, 12 and 24 layers)',
      (flag) => wholeNumber(flag, 1),
    );
    addLabelsFlag(command, 'of macroF1', 'those of the references');
    command.addHelpText(
      'after',
      '\nRows may have "user", "id" and "history": […], earlier texts of the user. Values are means over rows, BLEU that of the\n' +
        'corpus; intervals draw users where rows have a user, and rows otherwise; fewer than five give none.\n' +
        'Metrics: rouge1, rouge2, rougeL, rougeLsum, bleu, sentenceBleu, meteor, accuracy, macroF1, mae, rmse, copied,\n' +
        'lengthDistance, punctuationDistance, functionWordDistance, distinct1, distinct2, selfBleu; with --bertscore, bertPrecision,\nbertRecall, bertF1.\n' +
        '\nExample: nextquill metrics --data predictions.jsonl --metrics rouge1,rougeL,meteor',
    );
  },
  run: async (_operands, flags, session) => {
    const { data, labels, bertscore, bertscoreLayer, ...options } = flags as MetricsFlags;
    if (bertscoreLayer !== undefined && bertscore === undefined)
      throw new ConfigError(
        `--bertscore-layer: expected --bertscore beside it, got ${bertscoreLayer} alone`,
        {
          code: 'usage/bertscore',
          hint: 'Add --bertscore FOLDER.',
        },
      );
    const path = required(data, '--data', 'Name a file of predictions, such as predictions.jsonl.');
    const { signal } = session;
    const pairs = await pairsFromJsonl(path, { onNotice: session.notice, signal });
    const { seed, threads } = session.options;
    const result = await metrics(pairs, {
      ...options,
      ...(labels !== undefined && { labels: namedLabels(labels) }),
      ...(bertscore !== undefined && { bertScore: { folder: bertscore, layer: bertscoreLayer } }),
      ...(seed !== undefined && { seed }),
      ...(threads !== undefined && { threads }),
      signal,
      onProgress: session.progress,
    });
    if (session.options.json) session.print(`${JSON.stringify(metricsJson(result))}\n`);
    else session.print(await metricsTable(result, options.metrics !== undefined));
    warnOfMeteor(result, session);
  },
};

/** One object: each metric by its name, then what they come from. */
function metricsJson({ values, ...about }: MetricsResult): Record<string, unknown> {
  return { ...values, ...about };
}

async function metricsTable(result: MetricsResult, isChosen: boolean): Promise<string> {
  const { values, rows, users, leftOut } = result;
  const valueText = (value: Estimate | number) =>
    typeof value === 'number' ? decimal(value, 3) : estimateText(value, 3);
  const measured = metricTable.filter(({ name }) => values[name] !== undefined);
  const lines = alignedColumns(
    measured.map(({ name, description }) => [name, valueText(values[name]!), description]),
    () => false,
  );
  const partly = measured.filter(({ name }) => leftOut[name] !== undefined);
  const absent = isChosen
    ? []
    : metricTable.filter(({ name, isDefault }) => isDefault && values[name] === undefined);
  const unit = users === undefined ? 'row' : 'user';
  const intervals =
    (users ?? rows) < FEWEST_FOR_INTERVAL
      ? `no intervals: they need ${FEWEST_FOR_INTERVAL} ${unit}s`
      : `95 % intervals by ${unit}`;
  return [
    `${rows} rows${users === undefined ? '' : ` of ${users} users`}; means over rows, ${intervals}`,
    '',
    ...lines,
    ...(partly.length === 0
      ? []
      : [
          '',
          ...partly.map(
            ({ name }) => `${name} says nothing about ${leftOut[name]} rows, which it leaves out.`,
          ),
        ]),
    ...(absent.length === 0
      ? []
      : [
          '',
          `Not measured, for want of histories, or of other rows: ${absent.map(({ name }) => name).join(', ')}`,
        ]),
    '',
  ].join('\n');
}

/** What makes METEOR differ from published numbers is told. */
function warnOfMeteor({ values, meteorModules, punkt }: MetricsResult, session: Session): void {
  if (values.meteor === undefined) return;
  if (!meteorModules.includes('synonym'))
    session.note(
      'meteor: matched exactly and by stem, without synonyms; published numbers have them (--wordnet).',
    );
  if (punkt === 'untrained')
    session.note('meteor: sentences end at every full stop; published numbers know abbreviations (--punkt).');
}
