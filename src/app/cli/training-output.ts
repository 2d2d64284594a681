/** @file What a training shows: progress and notes on stderr, its summary on stdout. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { mebibytes } from '../../base/bytes.ts';
import { AbortedError } from '../../base/errors.ts';
import type { TooLongExamples } from '../../method/data/notice.ts';
import type { TrainSummary } from '../../method/runs/manifest.ts';
import type { TrainEvent } from '../../method/runs/run.ts';
import { HANDED_OVER } from '../../method/runs/step-engine.ts';
import type { UsersEvent, UsersSummary } from '../../method/runs/train-users.ts';
import type { MemoryRecord } from '../../method/training/memory/memory-check.ts';
import { leftOutText } from '../../reports/text/left-out-text.ts';
import type { Session } from './command.ts';

/** The summary of a run, and the examples that it left out. */
export interface ShownTraining extends TrainSummary {
  readonly tooLong?: TooLongExamples;
}

/** The summary of a run of many users, and the examples that it left out. */
export interface ShownUsers extends UsersSummary {
  readonly tooLong?: TooLongExamples;
}

/** Shows the events, and returns the summary. @throws {AbortedError} with the command that continues the run */
export function showTraining(
  events: AsyncGenerator<TrainEvent, TrainSummary>,
  run: string,
  objective: string,
  session: Session,
): Promise<ShownTraining> {
  return shown(events, run, showEvents(`training ${objective}`, session));
}

/** As {@link showTraining}, for a run of many users: progress is by user. */
export function showUsersTraining(
  events: AsyncGenerator<UsersEvent, UsersSummary>,
  run: string,
  objective: string,
  session: Session,
): Promise<ShownUsers> {
  return shown(events, run, showUsersEvents(`training ${objective}`, session));
}

async function shown<E extends UsersEvent, S>(
  events: AsyncGenerator<E, S>,
  run: string,
  show: (event: E) => void,
): Promise<S & { readonly tooLong?: TooLongExamples }> {
  let tooLong: TooLongExamples | undefined;
  try {
    for (;;) {
      const next = await events.next();
      if (next.done) return { ...next.value, ...(tooLong && { tooLong }) };
      const event: UsersEvent = next.value;
      if (event.type === 'notice' && event.notice.code === 'prompts/too-long') tooLong = event.notice;
      show(next.value);
    }
  } catch (error) {
    // Stopped before the folder was made, there is nothing to resume; what goes on elsewhere says itself how it is followed.
    if (!(error instanceof AbortedError) || error.code === HANDED_OVER || !existsSync(run)) throw error;
    const hint = `Run "nextquill train --resume ${run}" to continue from there.`;
    throw new AbortedError(error.message, { code: error.code, hint, cause: error });
  }
}

function showEvents(stage: string, session: Session): (event: TrainEvent) => void {
  let heldOut = '';
  return (event) => {
    if (event.type === 'evaluation') heldOut = `held-out ${event.validationLoss.toFixed(3)} · `;
    if (event.type === 'notice') session.notice(event.notice);
    else if (event.type === 'started') {
      const { steps, startStep, isResumed, examples, trainedParameters, run } = event;
      const from = isResumed
        ? `, resumed ${startStep === 0 ? 'from the beginning' : `after step ${startStep}`}`
        : '';
      session.note(
        `${run}: ${examples} examples, ${steps} steps${from}, ${trainedParameters.toLocaleString('en')} trained parameters`,
      );
      const { memory } = event;
      if (memory !== undefined) session.note(memoryLine(memory));
      session.progress({ stage, done: startStep, total: steps, unit: 'steps' });
    } else if (event.type === 'step') {
      const { step: done, totalSteps: total, loss, validationLoss, tokensPerSecond } = event;
      if (validationLoss !== undefined) heldOut = `held-out ${validationLoss.toFixed(3)} · `;
      const detail = `loss ${loss.toFixed(3)} · ${heldOut}${Math.round(tokensPerSecond)} tokens/s`;
      session.progress({ stage, done, total, unit: 'steps', detail });
    }
  };
}

function showUsersEvents(stage: string, session: Session): (event: UsersEvent) => void {
  let who = { user: '', place: 1, users: 1 };
  let hasBegun = false;
  const report = (done: number, detail: string) =>
    session.progress({ stage, done, total: who.users, unit: 'users', detail: `${who.user}${detail}` });
  return (event) => {
    if (event.type === 'user') {
      who = event;
      if (event.isFinished) report(event.place, ': finished before');
      else report(event.place - 1, '');
    } else if (event.type === 'notice') session.notice(event.notice);
    else if (event.type === 'started' && !hasBegun) {
      hasBegun = true;
      session.note(
        `${who.users} users, ${event.trainedParameters.toLocaleString('en')} trained parameters for each`,
      );
      if (event.memory !== undefined) session.note(memoryLine(event.memory));
    } else if (event.type === 'step')
      report(who.place - 1, `: step ${event.step} of ${event.totalSteps} · loss ${event.loss.toFixed(3)}`);
    else if (event.type === 'done') report(who.place, '');
  };
}

/** Prints the summary of a run of many users. */
export function printUsersSummary({ tooLong, ...summary }: ShownUsers, session: Session): void {
  if (session.options.json) {
    session.print(`${JSON.stringify({ ...summary, ...leftOutOf(tooLong) })}\n`);
    return;
  }
  const { run, adapters, steps, seconds, tokens, tokensPerSecond, peakMemoryBytes } = summary;
  const [{ user }] = adapters as [(typeof adapters)[number]];
  session.print(
    [
      ...tooLongLines(tooLong),
      `run          ${run}`,
      `adapters     ${adapters.length}, one for each user, such as --adapter ${JSON.stringify(join(run, 'users', user))}`,
      `steps        ${steps} in all, ${seconds.toFixed(1)} s`,
      `speed        ${Math.round(tokensPerSecond)} tokens/s, ${tokens.toLocaleString('en')} tokens in all`,
      `peak memory  ${(peakMemoryBytes / 2 ** 20).toFixed(0)} MiB`,
      '',
    ].join('\n'),
  );
}

const leftOutOf = (tooLong: TooLongExamples | undefined) =>
  tooLong && { leftOut: { tooLong: tooLong.count, first: tooLong.example } };

const tooLongLines = (tooLong: TooLongExamples | undefined): readonly string[] =>
  tooLong === undefined
    ? []
    : [`! ${leftOutText('tooLong', tooLong.count, tooLong.example, tooLong.maxTokens)}`];

function memoryLine(memory: MemoryRecord): string {
  const { total, limit, activations, trained, estimator, evaluation, mappedWeights, process, onCard } =
    memory;
  return `memory: ${mebibytes(total)} predicted of ${mebibytes(limit)}: activations ${mebibytes(activations)}, trained ${mebibytes(trained)}, ${estimator > 0 ? `estimator ${mebibytes(estimator)}, ` : ''}${evaluation > 0 ? `evaluation ${mebibytes(evaluation)}, ` : ''}frozen weights ${mebibytes(mappedWeights)} (mapped), process ${mebibytes(process)}${onCard > 0 ? `; ${mebibytes(onCard)} of it on the card` : ''}`;
}

/** Prints the summary of a run. */
export function printSummary({ tooLong, ...summary }: ShownTraining, session: Session): void {
  if (session.options.json) {
    session.print(`${JSON.stringify({ ...summary, ...leftOutOf(tooLong) })}\n`);
    return;
  }
  const { run, steps, finalLoss, validationLoss, examplesPerSecond, tokensPerSecond } = summary;
  const { peakMemoryBytes, adapter, weights, best, endedBy } = summary;
  session.print(
    [
      ...tooLongLines(tooLong),
      `run          ${run}`,
      adapter === undefined ? `weights      ${weights}` : `adapter      ${adapter}`,
      `steps        ${steps}${endedBy === 'patience' ? ', then no better one within the patience' : ''}`,
      `report       ${join(run, 'report.html')}`,
      `final loss   ${finalLoss.toFixed(4)} nats`,
      ...(validationLoss === undefined
        ? []
        : [`held-out     ${validationLoss.toFixed(4)} nats a token, of validation rows`]),
      ...(best === undefined
        ? []
        : [`kept         step ${best.step}, held-out ${best.validationLoss.toFixed(4)}`]),
      `speed        ${examplesPerSecond.toFixed(2)} examples/s, ${Math.round(tokensPerSecond)} tokens/s`,
      `peak memory  ${(peakMemoryBytes / 2 ** 20).toFixed(0)} MiB`,
      '',
    ].join('\n'),
  );
}
