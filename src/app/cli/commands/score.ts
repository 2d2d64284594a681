/** @file `nextquill score`: does a text sound like its author, sentence by sentence. */

import { estimateText, signed } from '../../../base/number-format.ts';
import { type TextAuthorship, textAuthorship } from '../../../method/authorship/text-authorship.ts';
import { alignedColumns } from '../../../reports/comparison/comparison-table.ts';
import * as authors from '../../files/author-texts.ts';
import { MODEL_WORDS } from '../../open/model-words.ts';
import { openScoredModel } from '../../open/scored-model.ts';
import type { CliCommand } from '../command.ts';
import { addFlag, addModelFlags, required, wholeNumber } from '../flags.ts';
import { openingOf, type ScoringFlags } from '../scoring.ts';
import { oneLine } from '../terminal.ts';

interface ScoreFlags extends Pick<ScoringFlags, 'model' | 'adapter' | 'maxHistory' | 'maxTokens'> {
  readonly text?: string;
  readonly history?: string;
  readonly others?: string;
  readonly otherAuthors?: number;
  readonly query?: string;
}

/** Other authors that a text is compared with. */
const OTHERS = 4;

export const scoreCommand: CliCommand = {
  define: (command) => {
    addModelFlags(command);
    addFlag(command, '--text <file>', 'the text, UTF-8');
    addFlag(
      command,
      '--history <path>',
      'earlier texts of the author: a folder of .txt and .md files, a text file with paragraphs, or FILE.jsonl of {"text"}',
    );
    addFlag(
      command,
      '--others <F>',
      'examples whose users are the other authors (default: State of the Union addresses)',
    );
    addFlag(
      command,
      '--placebo, --other-authors <K>',
      `number of other authors to compare with (default: ${OTHERS})`,
      (flag) => wholeNumber(flag, 1),
    );
    addFlag(command, '--query <text>', 'what the text answers, such as its title');
    command.addHelpText(
      'after',
      '\nCompare with others who write the same kind of text: a model finds a letter likelier after letters than after speeches.\n' +
        '\nExample: nextquill score --text draft.txt --history letters/ --model model.gguf --others examples.jsonl',
    );
  },
  run: async (_operands, flags, session) => {
    const {
      text: textFile,
      history: historyPath,
      others,
      otherAuthors = OTHERS,
      query,
      ...given
    } = flags as ScoreFlags;
    const model = required(given.model, '--model', `Name ${MODEL_WORDS}.`);
    const path = required(textFile, '--text', 'Name the file with the text.');
    const text = await authors.readAuthorText(path);
    const history = await authors.readAuthorTexts(
      required(historyPath, '--history', 'Name a folder or file with earlier texts of the author.'),
    );
    const { seed = 0, threads } = session.options;
    const otherHistories = await authors.readOtherAuthors(others, otherAuthors, seed);
    const opened = await openScoredModel(model, {
      ...(given.adapter !== undefined && { adapter: given.adapter }),
      ...openingOf(session),
      prompt: {
        ...(given.maxHistory !== undefined && { maxHistory: given.maxHistory }),
        ...(given.maxTokens !== undefined && { maxTokens: given.maxTokens }),
      },
    });
    const result = await textAuthorship(opened, text, history, otherHistories, {
      prompt: opened.prompt,
      bootstrap: { seed },
      ...(query !== undefined && { query }),
      ...(threads !== undefined && { threads }),
      signal: session.signal,
      onProgress: session.progress,
    });
    if (session.options.json) session.print(`${JSON.stringify(result)}\n`);
    else session.print(await authorshipText(result, text));
    if (others === undefined)
      session.note(
        'The others are presidents’ addresses; texts of the same kind as yours make a fairer comparison (--others).',
      );
  },
};

async function authorshipText(result: TextAuthorship, text: string): Promise<string> {
  const { sentences, total, userSpecific, verdict, others, historyItems } = result;
  const rows = sentences.map((sentence) => [
    sentence.verdict,
    signed(sentence.userSpecific, 1),
    oneLine(text.slice(sentence.start, sentence.end), 90),
  ]);
  return [
    `${verdict}: after the author’s own texts a token is likelier by ${estimateText(userSpecific)} nats than after ${others} other authors’, by ${estimateText(total)} than after none`,
    `${sentences.length} sentences, 95 % intervals over them; ${historyItems} items of each author`,
    ...(sentences.length < 5 ? ['Fewer than five sentences: too few for a verdict.'] : []),
    '',
    ...alignedColumns([['verdict', 'nats', 'sentence'], ...rows], (column) => column === 1),
    '',
  ].join('\n');
}
