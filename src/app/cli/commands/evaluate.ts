/** @file `nextquill evaluate`: held-out likelihood with the user's history, without, and with other users'; author identification. */
import type { SystemEvaluation } from '../../../method/evaluation/evaluate.ts';
import { estimateText } from '../../../method/explain/number-format.ts';
import { alignedColumns } from '../../../method/report/table.ts';
import { warnOfLeakage } from '../../example-rows.ts';
import { warnOfTrainedRows } from '../../trained-on.ts';
import type { CliCommand, Session } from '../command.ts';
import { addDataFlags, addFlag, addModelFlags, addSplitFlag, wholeNumber } from '../flags.ts';
import { openForScoring, type ScoringFlags } from '../scoring.ts';

interface EvaluateFlags extends ScoringFlags {
  readonly candidates?: number;
}

export const evaluateCommand: CliCommand = {
  name: 'evaluate',
  summary: 'held-out likelihood with, without and with others’ histories; author identification',
  define: (command) => {
    addModelFlags(command);
    addDataFlags(command);
    addSplitFlag(command, 'test where the data has splits');
    addFlag(
      command,
      '--candidates <K>',
      'histories that identification chooses among (default: 4, or as many as there are users)',
      (flag) => wholeNumber(flag, 2),
    );
    command.addHelpText(
      'after',
      '\nExample: nextquill evaluate --model embedded --adapter runs/a/adapter --data sotu',
    );
  },
  run: async (_operands, flags, session) => {
    const given = flags as EvaluateFlags;
    const scoring = await openForScoring(given, 'test', session);
    warnOfLeakage(scoring.all, session.warn);
    await warnOfTrainedRows(given.adapter ?? given.model!, scoring.rows, session.warn);
    const { evaluate, DEFAULT_CANDIDATES } = await import('../../../method/evaluation/evaluate.ts');
    const { opened, rows, all } = scoring;
    const { seed, threads } = session.options;
    const evaluation = await evaluate(opened.name, opened, rows, {
      prompt: opened.prompt,
      pool: all,
      ...(given.candidates !== undefined && { candidates: given.candidates }),
      ...(seed !== undefined && { bootstrap: { seed } }),
      ...(threads !== undefined && { threads }),
      signal: session.signal,
      onProgress: session.progress,
    });
    const k = evaluation.system.authorIdentification?.k;
    if (given.candidates === undefined && k !== undefined && k < DEFAULT_CANDIDATES)
      session.warn(
        `authors are identified among ${k} histories, not ${DEFAULT_CANDIDATES}: too few users have one`,
      );
    printEvaluation(evaluation, session);
  },
};

function printEvaluation(
  { system, historyEffect, scores, withoutHistory }: SystemEvaluation,
  session: Session,
): void {
  const users = new Set(scores.map(({ user }) => user)).size;
  const { system: _, ...effects } = historyEffect;
  if (session.options.json) {
    const document = { ...system, historyEffect: effects, users, examples: scores.length, withoutHistory };
    session.print(`${JSON.stringify(document)}\n`);
    return;
  }
  const { name, nllWithHistory, nllWithoutHistory, nllOtherHistory, authorIdentification: author } = system;
  session.print(
    `${name}: ${scores.length} examples of ${users} users; means over users, 95 % intervals by user\n\n` +
      alignedColumns(
        [
          ['NLL with history', estimateText(nllWithHistory), 'nats a token'],
          ['NLL without history', estimateText(nllWithoutHistory), 'nats a token'],
          ['NLL with others’ histories', estimateText(nllOtherHistory), 'nats a token'],
          [
            'history effect, total (A)',
            estimateText(effects.total),
            'nats a token; above 0 the history helps',
          ],
          ['  of it generic (B)', estimateText(effects.generic), 'another user’s history would do as well'],
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
      (withoutHistory > 0 ? `\n${withoutHistory} examples without a history that fits are left out.\n` : ''),
  );
}
