/**
 * @file One adapter for each user, all on one base in one process: the base's weights are mapped once and the training graph is compiled
 * once, and the users' adapters are its inputs, one user after the other. Each user's own run is an ordinary run in a folder of its own,
 * so that what a kill leaves of it is resumed as any run is, and finished users are not touched.
 */
import { removeTemporaries } from '../../base/atomic-folder.ts';
import { breathe } from '../../base/breathe.ts';
import { CheckpointError, ConfigError, DataError, throwIfAborted } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import { groupBy } from '../../base/group-by.ts';
import { checkThreads } from '../../base/threads.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Example } from '../data/example.ts';
import type { Notice } from '../data/notice.ts';
import { forTraining } from '../data/splits.ts';
import { textsOfUsers, type UserTexts } from '../data/user-texts.ts';
import { defaultPromptSettings, type PromptSettings } from '../prompts/pair.ts';
import { heldOutRows } from '../training/held-out.ts';
import { graphOptions } from '../training/memory/memory-check.ts';
import { itemsOfRun } from '../training/plan.ts';
import { type ResolvedSettings, resolveSettings } from '../training/settings.ts';
import { createTrainingGraph, type TrainingGraph } from '../training/training-graph.ts';
import type { BestStep } from './best-step.ts';
import { currentMachine, readManifest, recipeOf, settingsOf } from './manifest.ts';
import { type Prepared, prepareEstimates, prepareModel, type RunData, type RunOptions } from './prepare.ts';
import type { TrainEvent } from './run.ts';
import { asEvents, examplesRecord, fittingPrompts, heldOutOf, type RunDataOptions } from './run-data.ts';
import { checkFree, tidyRunFolder } from './run-folder.ts';
import { lockRun } from './run-lock.ts';
import {
  checkEstimates,
  checkRunData,
  checkSameModel,
  checkSameRun,
  continueSteps,
  finishedSummary,
  freshManifest,
  startRun,
} from './start-run.ts';
import { readStepLog } from './step-log.ts';
import type { ResumeOptions, TrainOptions } from './train.ts';
import {
  createUsersFolder,
  readUsersManifest,
  type UsersManifest,
  userFolders,
  userRun,
  usersPlace,
} from './users-folder.ts';

/** Options of {@link trainUsers}. */
export interface TrainUsersOptions extends TrainOptions {
  /** Which texts of a user the adapter learns from. */
  readonly texts: UserTexts;
}

/** What training of many users reports: whose turn it is, and the events of that user's own run. */
export type UsersEvent =
  | {
      readonly type: 'user';
      readonly user: string;
      /** The user's own run. */
      readonly run: string;
      /** 1 for the first. */
      readonly place: number;
      readonly users: number;
      /** Whether there is nothing left to do. */
      readonly isFinished: boolean;
    }
  | TrainEvent;

/** One user's adapter. */
export interface UserAdapter {
  readonly user: string;
  /** Folder, in PEFT's layout. */
  readonly adapter: string;
  readonly steps: number;
  /** Loss of the last step, nats. */
  readonly finalLoss: number;
  /** The step whose weights the adapter holds; where the best one is kept. */
  readonly best?: BestStep;
}

/** What {@link trainUsers} returns and `train --per-user --json` prints. */
export interface UsersSummary {
  readonly run: string;
  readonly adapters: readonly UserAdapter[];
  /** Of all users. */
  readonly steps: number;
  readonly examplesPerSecond: number;
  readonly tokensPerSecond: number;
  /** Of all steps; compiling, checkpoints and final weights not counted. */
  readonly seconds: number;
  /** Of all passes, padding not counted. */
  readonly tokens: number;
  readonly peakMemoryBytes: number;
}

/** A user's run before it begins. */
interface UserRun {
  readonly user: string;
  readonly data: RunData;
}

/**
 * Trains an adapter for each user on the user's own texts: the `train` rows where the data name splits, or the histories of these. Each
 * adapter equals that of {@link train} on those texts alone, with the same settings and seed.
 * Users without a text of that rule, or whose texts are all too long, are told of and left out.
 * @throws {ConfigError} as `train`; and without `lora`, and for objectives and prompts that need other users' histories
 * @throws as `train` otherwise; users that were finished by then keep their adapters
 * Cost: that of a run for each user, with one compilation in all; the memory of one adapter in training.
 */
export async function* trainUsers(options: TrainUsersOptions): AsyncGenerator<UsersEvent, UsersSummary> {
  const { examples, model, modelSource, dataSource, texts, signal, onProgress, out } = options;
  throwIfAborted(signal);
  await checkFree(out);
  const settings = resolveSettings(options, model);
  const prompt = { ...defaultPromptSettings(model.config.maxPositions), ...options.prompt };
  checkUsersSettings(settings, prompt);
  checkOwnEngine(options);
  const making = { model, dataSource, prompt, settings, onProgress, signal };
  const runs = yield* asEvents(userRuns(examples, texts, { ...making, strict: options.strict }));
  const prepared = await prepareAll(settings, model, runs, options);
  const folders = userFolders(runs.map(({ user }) => user));
  const manifest: UsersManifest = {
    formatVersion: 1,
    texts,
    recipe: recipeOf(settings, prompt),
    model: { source: modelSource, hash: prepared.model.hash, tokenizerHash: model.tokenizer.hash },
    data: { source: dataSource },
    machine: currentMachine(settings.threads, prepared.model),
    users: runs.map(({ user, data: { record } }) => ({
      user,
      folder: folders.get(user)!,
      data: { hash: record.hash, promptsHash: record.promptsHash },
    })),
  };
  await using graph = await createTrainingGraph(graphOptions(settings, prepared.model));
  await breathe(signal);
  await checkFree(out);
  await createUsersFolder(out, manifest);
  await using _lock = await lockRun(out);
  return yield* eachUser(out, manifest, { settings, runs, prepared, opened: model, options }, graph);
}

/**
 * Resumes a run of many users: finished ones stay as they are, the one that was under way continues from its newest checkpoint, and the
 * others follow. The result is bit for bit that of a run that was never stopped.
 * @throws {CheckpointError} there is no such run, another process works on it, or its model or data have changed
 * @throws as {@link trainUsers} otherwise
 */
export async function* resumeUsers(
  run: string,
  options: ResumeOptions,
): AsyncGenerator<UsersEvent, UsersSummary> {
  const { open, signal, onProgress } = options;
  throwIfAborted(signal);
  checkOwnEngine(options);
  const manifest = await readUsersManifest(run);
  const { recipe, texts } = manifest;
  const { prompt, threads: recorded } = recipe;
  const { threads = recorded } = options;
  checkThreads(threads);
  const settings = { ...settingsOf(recipe), threads };
  const model = await open.model(manifest.model.source);
  checkSameModel(manifest, model);
  const { source: dataSource } = manifest.data;
  const making = { model, dataSource, prompt: prompt!, settings, onProgress, signal };
  const found = await open.examples(dataSource);
  const runs = yield* asEvents(userRuns(found, texts, making));
  checkSameUsers(manifest, runs);
  await using _lock = await lockRun(run);
  await removeTemporaries(usersPlace(run));
  const prepared = await prepareAll(settings, model, runs, options);
  await using graph = (await areFinished(run, manifest))
    ? undefined
    : await createTrainingGraph(graphOptions(settings, prepared.model));
  return yield* eachUser(run, manifest, { settings, runs, prepared, opened: model, options }, graph);
}

interface UsersParts {
  readonly settings: ResolvedSettings;
  readonly runs: readonly UserRun[];
  readonly prepared: Omit<Prepared, 'fixed'>;
  /** The model as the caller opened it. */
  readonly opened: Model;
  readonly options: RunOptions;
}

/** @param graph absent where all users are finished */
async function* eachUser(
  run: string,
  { users, model: { source } }: UsersManifest,
  { settings, runs, prepared, opened, options }: UsersParts,
  graph: TrainingGraph | undefined,
): AsyncGenerator<UsersEvent, UsersSummary> {
  const { signal, clock } = options;
  for (const [i, { user, data }] of runs.entries()) {
    throwIfAborted(signal);
    const place = userRun(run, users[i]!.folder);
    const known = (await exists(place)) ? await readManifest(place) : undefined;
    if (known !== undefined) checkSameRun(known, opened, data);
    const isFinished = known !== undefined && (await finishedSummary(place, known)) !== undefined;
    yield { type: 'user', user, run: place, place: i + 1, users: runs.length, isFinished };
    if (isFinished) continue;
    await graph!.reset();
    const fixed = await prepareEstimates(settings, prepared.model, data, options);
    const parts = { settings, data, prepared: { ...prepared, fixed }, signal, clock };
    if (known === undefined) {
      const manifest = await freshManifest(settings, data, parts.prepared, source);
      yield* startRun(place, { ...parts, manifest }, graph!);
      continue;
    }
    await using _lock = await lockRun(place);
    await tidyRunFolder(place);
    yield* checkEstimates(place, known, fixed);
    yield* continueSteps(place, { ...parts, manifest: known }, graph!);
  }
  return summariseUsers(run, users);
}

/**
 * The runs of all users, with their prompts; users without a text that fits are left out.
 * @throws {DataError} when no user has one
 */
async function* userRuns(
  given: readonly Example[],
  rule: UserTexts,
  options: RunDataOptions & { readonly strict?: boolean | undefined },
): AsyncGenerator<Notice, readonly UserRun[]> {
  const { dataSource, prompt, settings } = options;
  const rows = forTraining(given);
  const texts = textsOfUsers(rows, rule);
  const users = new Set(rows.map(({ user }) => user));
  if (texts.size === 0)
    throw new DataError(`examples: expected users with texts to learn from, got none among ${users.size}`, {
      code: 'data/no-examples',
      hint:
        rule === 'history'
          ? 'Give examples with histories, or train on rows.'
          : 'Check the data and its splits.',
    });
  // As a run on a user's texts alone takes them.
  const chosen = [...texts].flatMap(([user, own]) =>
    itemsOfRun(own, settings, () => user).map((example) => ({ user, example })),
  );
  const { examples, pairs } = yield* fittingPrompts(
    chosen.map(({ example }) => example),
    options,
  );
  const userOf = new Map(chosen.map(({ user, example }) => [example, user]));
  const prompted = examples.map((example, i) => ({ example, pair: pairs[i]! }));
  const measured = settings.evalEvery > 0 ? groupBy(heldOutRows(given), ({ user }) => user) : undefined;
  const runs: UserRun[] = [];
  for (const [user, own] of groupBy(prompted, ({ example }) => userOf.get(example)!)) {
    const ownPairs = own.map(({ pair }) => pair);
    const ownExamples = own.map(({ example }) => example);
    const heldOut = await heldOutOf(measured?.get(user) ?? [], options);
    const data = {
      pairs: ownPairs,
      record: examplesRecord(dataSource, ownExamples, ownPairs),
      prompt,
      ...(heldOut && heldOut.pairs.length > 0 && { heldOut }),
    };
    checkRunData(settings, data, options.model);
    runs.push({ user, data });
    users.delete(user);
  }
  const [first] = users;
  if (first !== undefined)
    yield { code: 'users/no-texts', count: users.size, total: users.size + runs.length, user: first };
  const unmeasured = settings.keepBest ? runs.filter(({ data }) => data.heldOut === undefined) : [];
  if (unmeasured.length > 0) {
    const [{ user }] = unmeasured as [UserRun];
    yield { code: 'users/no-validation', count: unmeasured.length, total: runs.length, user };
  }
  return runs;
}

/** The base, once, and the memory of the largest microbatch of any user. */
function prepareAll(
  settings: ResolvedSettings,
  model: Model,
  runs: readonly UserRun[],
  options: RunOptions,
): Promise<Omit<Prepared, 'fixed'>> {
  const heldOut = runs.flatMap(({ data }) => data.heldOut ?? []);
  const pairs = runs.flatMap(({ data }) => data.pairs);
  return prepareModel(
    settings,
    model,
    { pairs, heldOutPairs: heldOut.flatMap((each) => each.pairs) },
    options,
  );
}

/** @throws {ConfigError} for settings under which a user's adapter would depend on other users, or would be a whole model */
function checkUsersSettings({ lora, objective }: ResolvedSettings, { reference }: PromptSettings): void {
  if (lora === undefined)
    throw new ConfigError('perUser: expected lora beside it, got the training of all weights', {
      code: 'users/full',
      hint: 'Add lora: every user would have a whole model otherwise.',
    });
  const { generic, placeboMost, others } = objective.needs;
  const contrasts = objective.effectLosses.includes('contrast');
  if (generic || placeboMost || others > 0 || reference === 'placebo')
    throw new ConfigError(
      `perUser: expected nothing that compares with other users’ histories, got ${reference === 'placebo' ? 'the reference placebo' : `objective ${objective.name}${generic ? ' with weightsFrom userSpecific' : placeboMost ? ' with targetWeight' : contrasts ? ' with contrastWeight' : ''}`}`,
      {
        code: 'users/others',
        hint: 'Choose another objective, option or reference: a user’s adapter learns from that user alone.',
      },
    );
}

/** @throws {ConfigError} when another engine is to take the steps */
function checkOwnEngine({ engine }: RunOptions): void {
  if (engine === undefined) return;
  throw new ConfigError('perUser: expected the engine of this process, got another', {
    code: 'users/engine',
    hint: 'Leave --engine out, or train one user’s rows at a time.',
  });
}

/** @throws {CheckpointError} when the data give other users than the run began with, or other texts of theirs */
function checkSameUsers({ data: { source }, users }: UsersManifest, runs: readonly UserRun[]): void {
  const differs = users.find(({ user, data }, i) => {
    const record = runs[i]?.data.record;
    return runs[i]?.user !== user || record?.hash !== data.hash || record.promptsHash !== data.promptsHash;
  });
  if (differs === undefined && runs.length === users.length) return;
  throw new CheckpointError(
    `data ${source}: expected the ${users.length} users of the run with their texts as they were, got ${differs === undefined ? `${runs.length} users` : `other texts, such as those of ${JSON.stringify(differs.user)}`}`,
    { code: 'run/data-changed', hint: 'Restore the data, or start a new run.' },
  );
}

/** Whether every user's run has ended with its adapter in place. */
async function areFinished(run: string, { users }: UsersManifest): Promise<boolean> {
  for (const { folder } of users) {
    const place = userRun(run, folder);
    if (!(await exists(place)) || (await finishedSummary(place, await readManifest(place))) === undefined)
      return false;
  }
  return true;
}

async function summariseUsers(run: string, users: UsersManifest['users']): Promise<UsersSummary> {
  const adapters: UserAdapter[] = [];
  const sums = { steps: 0, examples: 0, tokens: 0, seconds: 0 };
  let peakMemoryBytes = 0;
  for (const { user, folder } of users) {
    const place = userRun(run, folder);
    const { adapter, ...summary } = (await finishedSummary(place, await readManifest(place)))!;
    const { steps, finalLoss, best } = summary;
    adapters.push({ user, adapter: adapter!, steps, finalLoss, ...(best && { best }) });
    peakMemoryBytes = Math.max(peakMemoryBytes, summary.peakMemoryBytes);
    sums.steps += summary.steps;
    for (const line of await readStepLog(place)) {
      sums.examples += line.examples;
      sums.tokens += line.tokens;
      sums.seconds += line.seconds;
    }
  }
  const { steps, examples, tokens, seconds } = sums;
  const speeds = { examplesPerSecond: examples / seconds, tokensPerSecond: tokens / seconds };
  return { run, adapters, steps, ...speeds, seconds, tokens, peakMemoryBytes };
}
