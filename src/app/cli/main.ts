#!/usr/bin/env node
/** @file The program: one command, its signals, its streams and its exit code. Nothing else ends the process. */
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync, writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import pc from 'picocolors';
import { EngineError } from '../../base/errors.ts';
import { noticeText } from '../../reports/text/notice-text.ts';
import { terminalText } from '../../reports/text/terminal-text.ts';
import type { Session } from './command.ts';
import { describeFailure } from './failure.ts';
import { helpText, parseArguments } from './program.ts';
import { openingProgress, progressDisplay } from './progress.ts';
import { isLive, isStdoutClosed, wantsColor } from './terminal.ts';

const packageFile = new URL('../../../package.json', import.meta.url);

async function main(words: readonly string[]): Promise<number> {
  const { stdout, stderr } = process;
  const stop = new AbortController();
  const display = progressDisplay({
    write: (text) => stderr.write(text),
    live: isLive(stderr),
    columns: () => stderr.columns ?? 80,
    now: () => performance.now(),
  });
  const colors = pc.createColors(wantsColor(stderr));
  // A reader that has enough (`| head`) closes the pipe: there is nothing left to say, and nobody to say it to.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE')
      writeSync(2, `error: stdout: expected to write the result, got ${error.code}\n`);
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  // Without stderr nobody hears of progress and warnings; the work and its result are worth as much.
  stderr.on('error', () => {});
  process.on('SIGINT', () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort(new Error('interrupted'));
    display.line(colors.yellow('stopping; press Ctrl-C again to stop at once'));
  });
  process.on('SIGTERM', () => {
    if (stop.signal.aborted) process.exit(143);
    stop.abort(new Error('terminated'));
  });
  subscribe('nextquill:session-opening', (event) => {
    const progress = openingProgress(event as { state: string; bytes: number });
    if (progress !== undefined && !words.includes('--quiet')) display.report(progress);
  });
  try {
    const request = await parseArguments(words, packageVersion());
    if (request.kind === 'show') {
      stdout.write(request.text);
      return 0;
    }
    const { globals } = request;
    let hasPrinted = false;
    const closing: (() => PromiseLike<void>)[] = [];
    const warn = (message: string) => display.line(`${colors.yellow('warning:')} ${terminalText(message)}`);
    const session: Session = {
      options: globals,
      signal: stop.signal,
      stdout,
      helpText: (name) => helpText(name, packageVersion()),
      progress: globals.quiet ? () => {} : (progress) => display.report(progress),
      print: (text) => {
        // Told and no failure: a program that starts this one and ignores its output looks the same.
        if (!hasPrinted && isStdoutClosed()) session.warn('stdout is closed: the result is written nowhere');
        hasPrinted = true;
        display.clear();
        stdout.write(text);
      },
      warn,
      notice: (notice) => warn(noticeText(notice)),
      atEnd: (close) => void closing.push(close),
      note: (message) => {
        if (!globals.quiet) display.line(terminalText(message));
      },
    };
    try {
      await request.run(session);
    } finally {
      for (const close of closing) await close();
    }
    return 0;
  } catch (error) {
    display.end();
    const flag = (name: string) => words.includes(name);
    const failure = describeFailure(error, { colors, verbose: flag('--verbose'), json: flag('--json') });
    stderr.write(failure.text);
    // A server that was told to end and had to cut answers has failed; other work that is stopped was stopped.
    const isCut = error instanceof EngineError && error.code === 'server/cut';
    return stop.signal.aborted && !isCut ? 130 : failure.exitCode;
  } finally {
    display.end();
  }
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;
}

process.exitCode = await main(process.argv.slice(2));
