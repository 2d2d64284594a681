/** @file `nextquill effects`: one row per response token, as lines, a file or a readable summary. */

import { checkFilePlace } from '../../../base/output-place.ts';
import { type ObjectiveChoice, objectiveNames } from '../../../method/objectives/objectives.ts';
import type { OthersBy } from '../../../method/others/similar.ts';
import { type EffectRow, effectRows } from '../../../method/scoring/rows.ts';
import { leftOutTexts } from '../../../reports/text/left-out-text.ts';
import { checkEffectFile, writeEffectRows } from '../../files/effect-file.ts';
import type { CliCommand, Session } from '../command.ts';
import { effectSummary } from '../effect-summary.ts';
import { addEngineFlags } from '../engine.ts';
import {
  addCacheFlag,
  addDataFlags,
  addEmbeddingsFlag,
  addFlag,
  addForceFlag,
  addModelFlags,
  addOthersFlag,
  addSplitFlag,
  addStrictFlag,
  oneOf,
} from '../flags.ts';
import { addRemoteFlags } from '../remote-flags.ts';
import { openCache, openForScoring, type ScoringFlags, scoredTokens } from '../scoring.ts';

interface EffectsFlags extends ScoringFlags {
  readonly objective?: ObjectiveChoice;
  readonly others?: number;
  readonly othersBy?: OthersBy;
  readonly withPrompts?: boolean;
  readonly out?: string;
  readonly cache?: boolean;
  readonly force?: boolean;
}

export const effectsCommand: CliCommand = {
  define: (command) => {
    addModelFlags(command);
    addEmbeddingsFlag(command);
    addEngineFlags(command);
    addRemoteFlags(command);
    addDataFlags(command);
    addSplitFlag(command, 'all');
    addStrictFlag(command);
    addFlag(command, '--out <file>', 'write rows to FILE.jsonl or FILE.parquet');
    addForceFlag(command);
    addFlag(command, '--objective <name>', 'whose token weights are reported (default: uniform)', (flag) =>
      oneOf(flag, objectiveNames),
    );
    addOthersFlag(command);
    addCacheFlag(command);
    command.option('--with-prompts', 'add the token ids of prompts and responses');
    command.addHelpText(
      'after',
      '\nExample: nextquill effects --model embedded --data sotu --max-examples 20 --json',
    );
  },
  run: async (_operands, flags, session) => {
    const {
      out,
      objective,
      others,
      othersBy,
      withPrompts,
      cache: useCache,
      force,
      strict,
    } = flags as EffectsFlags;
    if (out !== undefined) {
      checkEffectFile(out);
      await checkFilePlace(out, { force });
    }
    const { opened, rows, all } = await openForScoring(flags as EffectsFlags, 'all', session);
    const { seed, threads, json } = session.options;
    if (opened.remote !== undefined)
      session.note(
        opened.remote.likeliest === 0
          ? 'effectDivergence is not known: the server gives no distributions.'
          : `effectDivergence is not known: the server gives no distributions; effectDivergenceAtLeast is a lower bound, by the ${opened.remote.likeliest} likeliest tokens.`,
      );
    const left: string[] = [];
    const tokens = scoredTokens(session);
    let tooLong = 0;
    const effects = effectRows(opened, rows, {
      ...(strict && { strict }),
      onLeftOut: (leftOut) => {
        left.push(...leftOutTexts(leftOut, opened.prompt.maxTokens));
        tooLong += leftOut.tooLong;
      },
      prompt: opened.prompt,
      pool: all,
      ...(objective !== undefined && { objective }),
      ...(others !== undefined && { others }),
      ...(othersBy && { othersBy }),
      ...(seed !== undefined && { seed }),
      ...(withPrompts && { withPrompts }),
      ...(threads !== undefined && { threads }),
      ...(useCache && { cache: await openCache(session) }),
      onTokens: tokens.onTokens,
      signal: session.signal,
      onProgress: session.progress,
      onNotice: session.notice,
    });
    if (out !== undefined) {
      const count = await writeEffectRows(out, effects);
      const examples = rows.length - tooLong;
      if (json)
        session.print(
          `${JSON.stringify({ out, examples, rows: count, leftOut: { tooLong }, ...tokens.total() })}\n`,
        );
      else session.print([...left, `${count} rows of ${examples} examples: ${out}`, ''].join('\n'));
      session.note(`${out} holds users’ texts.`);
    } else if (json) await printLines(effects, session);
    else {
      const summary = await effectSummary(effects);
      session.print([...left.map((text) => `! ${text}`), summary].join('\n'));
    }
    tokens.note();
  },
};

async function printLines(rows: AsyncIterable<EffectRow>, session: Session): Promise<void> {
  for await (const row of rows) session.print(`${JSON.stringify(row)}\n`);
}
