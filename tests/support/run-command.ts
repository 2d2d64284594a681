/** @file Runs a command of the command line in this process: a second less than a process of its own. */
import type { Session } from '../../src/app/cli/command.ts';
import { helpText, parseArguments } from '../../src/app/cli/program.ts';

/** What a command wrote; its errors pass. */
export async function runInProcess(
  words: string | readonly string[],
): Promise<{ stdout: string; warnings: string[] }> {
  const request = await parseArguments(typeof words === 'string' ? words.split(' ') : words, '0');
  if (request.kind === 'show') return { stdout: request.text, warnings: [] };
  let stdout = '';
  const warnings: string[] = [];
  const closing: (() => PromiseLike<void>)[] = [];
  const session: Session = {
    options: request.globals,
    signal: new AbortController().signal,
    stdout: process.stdout,
    progress: () => {},
    helpText: (name) => helpText(name, '0'),
    print: (text) => {
      stdout += text;
    },
    warn: (message) => warnings.push(message),
    note: () => {},
    notice: () => {},
    atEnd: (close) => void closing.push(close),
  };
  try {
    await request.run(session);
  } finally {
    for (const close of closing) await close();
  }
  return { stdout, warnings };
}
