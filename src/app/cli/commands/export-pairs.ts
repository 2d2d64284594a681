/** @file `nextquill export-pairs`: prompts, responses and token weights as Parquet, for trainers of other projects. */
import { checkFilePlace } from '../../../base/output-place.ts';
import type { ObjectiveOptions } from '../../../method/objectives/objective-options.ts';
import {
  DEFAULT_OBJECTIVE,
  type ObjectiveChoice,
  objectiveNames,
} from '../../../method/objectives/objectives.ts';
import { lossesBesideFit, planObjective } from '../../../method/objectives/plan.ts';
import { currentVersions } from '../../../method/runs/manifest.ts';
import { exampleEffects } from '../../../method/scoring/rows.ts';
import { parseOverride } from '../../config/recipe-source.ts';
import { checkPairsFile, type PairRow, pairRow, writePairs } from '../../files/pairs-file.ts';
import type { CliCommand } from '../command.ts';
import { addEngineFlags } from '../engine.ts';
import {
  addCacheFlag,
  addDataFlags,
  addFlag,
  addForceFlag,
  addModelFlags,
  addObjectiveOptionFlag,
  addSplitFlag,
  addStrictFlag,
  oneOf,
  required,
} from '../flags.ts';
import { openCache, openForScoring, type ScoringFlags } from '../scoring.ts';

interface ExportPairsFlags extends ScoringFlags {
  readonly objective?: ObjectiveChoice;
  readonly objectiveOption?: readonly string[];
  readonly out?: string;
  readonly withTexts?: boolean;
  readonly cache?: boolean;
  readonly force?: boolean;
}

export const exportPairsCommand: CliCommand = {
  define: (command) => {
    addModelFlags(command);
    addEngineFlags(command);
    addDataFlags(command);
    addSplitFlag(command, 'train where the data has splits');
    addStrictFlag(command);
    addFlag(command, '--out <file>', 'write FILE.parquet');
    addForceFlag(command);
    addFlag(
      command,
      '--objective <name>',
      `whose token weights are written, by the effects of this model (default: ${DEFAULT_OBJECTIVE})`,
      (flag) => oneOf(flag, objectiveNames),
    );
    addObjectiveOptionFlag(command);
    command.option('--with-texts', 'add the texts of queries and responses');
    addCacheFlag(command);
    command.addHelpText(
      'after',
      '\nColumns: example, user (a hash), with, without, response (token ids), hasHistory, weights, effectLogRatio, and copied where the\n' +
        'objective asks what is copied. Weights are those of the fit, its plain share included, by a fixed estimator: the model that is\n' +
        'named. Losses on effects, such as calibration, are no weights: a trainer that reads weights alone trains without them.\n' +
        'nextquill_torch.trl computes both in each step.\n' +
        'Example: nextquill export-pairs --model M --data users.jsonl --out pairs.parquet --objective perce --objective-option plainWeight=0.8',
    );
  },
  run: async (_operands, flags, session) => {
    const {
      objective,
      objectiveOption = [],
      withTexts = false,
      cache,
      force,
      strict,
      ...given
    } = flags as ExportPairsFlags;
    const out = required(given.out, '--out', 'Name the file: pairs.parquet.');
    checkPairsFile(out);
    await checkFilePlace(out, { force });
    const { opened, rows: examples, all, source } = await openForScoring(given, 'train', session);
    const { seed, threads, json } = session.options;
    const options = objectiveOption.map(parseOverride).map(({ key, value }) => [key, value]);
    const objectiveOptions: ObjectiveOptions = Object.fromEntries(options);
    const plan = planObjective(objective, objectiveOptions);
    const rows: PairRow[] = [];
    const scored = exampleEffects(opened, examples, {
      prompt: opened.prompt,
      pool: all,
      objective: plan.requested,
      objectiveOptions,
      ...(strict && { strict }),
      ...(seed !== undefined && { seed }),
      ...(threads !== undefined && { threads }),
      ...(cache && { cache: await openCache(session) }),
      signal: session.signal,
      onProgress: session.progress,
      onNotice: session.notice,
    });
    for await (const each of scored) rows.push(pairRow(each, withTexts));
    const { model, prompt, name } = opened;
    await writePairs(out, rows, {
      formatVersion: 1,
      nextquill: (await currentVersions()).nextquill,
      model: name,
      modelHash: model.hash,
      tokenizerHash: model.tokenizer.hash,
      template: prompt.template,
      objective: plan.name,
      objectiveOptions: plan.options,
    });
    const otherLosses = lossesBesideFit(plan);
    const summary = { out, rows: rows.length, data: source, objective: plan.requested, otherLosses };
    session.print(
      json
        ? `${JSON.stringify(summary)}\n`
        : `${rows.length} pairs with the weights of ${plan.requested}${plan.rule === 'uniform' ? ', all tokens alike' : ''}: ${out}\n`,
    );
    if (otherLosses.length > 0)
      session.note(
        `Not in the file, for no weight stands for it: ${otherLosses.join(', ')} of ${plan.requested}.`,
      );
    session.note(`${out} holds users’ texts${withTexts ? '' : ' as token ids'}.`);
  },
};
