/** @file `nextquill generate`: a text for the query of an example, with the history, without, or in between. */
import { matchedCandidates } from '../../../method/data/matching.ts';
import { terminalText } from '../../../method/explain/terminal-text.ts';
import { exampleById } from '../../example-rows.ts';
import type { CliCommand } from '../command.ts';
import { addExampleFlags, addFlag, addModelFlags, numberBetween, required, wholeNumber } from '../flags.ts';
import { openForScoring, type ScoringFlags } from '../scoring.ts';

interface GenerateFlags extends ScoringFlags {
  readonly example?: string;
  readonly strength?: number;
  /** False by `--no-history`. */
  readonly history: boolean;
  readonly maxNewTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
}

export const generateCommand: CliCommand = {
  name: 'generate',
  summary: 'write a text with or without the history, or in between by --strength',
  define: (command) => {
    addModelFlags(command);
    addExampleFlags(command);
    addFlag(
      command,
      '--strength <s>',
      'logits without + s · (with − without); 1 as trained (default: 1)',
      (flag) => numberBetween(flag, -100, 100),
    );
    command.option('--no-history', 'write as for a user without history');
    addFlag(command, '--max-new-tokens <n>', 'tokens at most (default: 200)', (flag) => wholeNumber(flag, 1));
    addFlag(command, '--temperature <t>', '0 takes the likeliest token (default: 0)', (flag) =>
      numberBetween(flag, 0, 100),
    );
    addFlag(command, '--top-p <p>', 'draw from the likeliest tokens of this share (default: 1)', (flag) =>
      numberBetween(flag, 0, 1),
    );
    command.addHelpText(
      'after',
      '\nExample: nextquill generate --model embedded --data sotu --example ID --strength 1.5 --temperature 0.8 --seed 3',
    );
  },
  run: async (_operands, flags, session) => {
    const {
      example: id,
      history,
      strength,
      maxNewTokens,
      temperature,
      topP,
      ...given
    } = flags as unknown as GenerateFlags;
    const wanted = required(id, '--example', 'Name an example by its id.');
    const { opened, all, source } = await openForScoring(given, 'all', session);
    const example = exampleById(all, wanted, source);
    if (history && example.history.length === 0)
      session.warn(`example "${example.id}" has no history: the text is what any user would get`);
    const { generate } = await import('../../../method/generation/generate.ts');
    const { seed, threads, json } = session.options;
    const tokens: number[] = [];
    let text = '';
    const stream = generate(opened, example, {
      prompt: opened.prompt,
      history,
      ...(strength !== undefined && { strength }),
      ...(maxNewTokens !== undefined && { maxNewTokens }),
      ...(temperature !== undefined && { temperature }),
      ...(topP !== undefined && { topP }),
      ...(seed !== undefined && { seed }),
      ...(threads !== undefined && { threads }),
      ...(opened.prompt.reference === 'placebo' &&
        example.history.length > 0 && { placebo: matchedCandidates(all, example, 2).others[0]!.history }),
      signal: session.signal,
      onWarning: session.warn,
    });
    for await (const next of stream) {
      tokens.push(next.token);
      text += next.text;
      if (!json) session.print(session.stdout.isTTY ? terminalText(next.text) : next.text);
    }
    if (json) {
      const document = {
        example: example.id,
        user: example.user,
        history,
        strength: strength ?? 1,
        text,
        tokens,
      };
      session.print(`${JSON.stringify(document)}\n`);
    } else session.print('\n');
  },
};
