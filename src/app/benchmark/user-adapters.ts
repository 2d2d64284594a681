/**
 * @file OPPU in a benchmark (one adapter a user, arXiv 2402.04401): a base that knows the task, and on it an adapter for each user,
 * trained on the user's own earlier texts.
 */
import { exists } from '../../base/exists.ts';
import { groupBy } from '../../base/group-by.ts';
import type { Adapter } from '../../engine/lora/adapter.ts';
import { loadAdapter } from '../../engine/lora/adapter-folder.ts';
import { mergedWeights } from '../../engine/lora/merge.ts';
import type { Model } from '../../engine/models/model.ts';
import { saveModel } from '../../engine/models/save-model.ts';
import type { Example } from '../../method/data/example.ts';
import { resumeUsers, trainUsers } from '../../method/runs/train-users.ts';
import { isUsersRun } from '../../method/runs/users-folder.ts';
import type { UserAdapters } from '../../method/scoring/user-adapters.ts';
import { openModel } from '../open/model-source.ts';
import { type TrainingCost, type TrainSystemOptions, trainingSettings } from './train-system.ts';

/** The model with an adapter merged into it, as a model of its own in a folder: written once. */
export async function mergedBase(folder: string, model: Model, adapter: Adapter): Promise<Model> {
  if (!(await exists(folder))) await saveModel(folder, model, mergedWeights(model, adapter));
  const merged = await openModel(folder);
  return model.device === undefined ? merged : { ...merged, device: model.device };
}

/**
 * One row for each user, whose history is what lies before every one of the user's rows: an adapter trained on it has seen no text that
 * it is scored on.
 */
export function historiesBeforeAll(examples: readonly Example[]): Example[] {
  return [...groupBy(examples, ({ user }) => user).values()].map((rows) => {
    const { split: _, ...first } = rows[0]!;
    const keys = rows.slice(1).map(({ history }) => new Set(history.map(keyOf)));
    return { ...first, history: first.history.filter((item) => keys.every((each) => each.has(keyOf(item)))) };
  });
}

const keyOf = ({ query, text, time }: Example['history'][number]) =>
  JSON.stringify([time ?? null, query, text]);

/** Options of {@link trainUserAdapters}; the steps are one text each. */
export interface UserTrainingOptions extends Omit<TrainSystemOptions, 'maxSteps' | 'batchSize'> {
  /** Passes over each user's texts. */
  readonly epochs: number;
}

/** Trains an adapter for each user on the items of the history, or takes up what was begun in `run`. */
export async function trainUserAdapters(
  run: string,
  { epochs, examples: given, onProgress, ...options }: UserTrainingOptions,
): Promise<{ readonly adapters: UserAdapters; readonly cost: TrainingCost }> {
  const { model, modelSource, dataSource, signal, threads } = options;
  const examples = historiesBeforeAll(given);
  const running = { ...(signal && { signal }), ...(threads !== undefined && { threads }) };
  const events = (await isUsersRun(run))
    ? resumeUsers(run, {
        ...running,
        open: { model: async () => model, examples: async () => examples },
      })
    : trainUsers({
        ...trainingSettings(options),
        ...running,
        prompt: options.prompt,
        batchSize: 1,
        epochs,
        texts: 'history',
        model,
        modelSource,
        dataSource,
        examples,
        out: run,
      });
  for (;;) {
    const { value, done } = await events.next();
    if (done) {
      const folders = new Map(value.adapters.map(({ user, adapter }) => [user, adapter]));
      const { lora } = await loadAdapter(value.adapters[0]!.adapter, model);
      const adapterOf = async (user: string) => {
        const folder = folders.get(user);
        return folder === undefined ? undefined : (await loadAdapter(folder, model)).tensors;
      };
      const { seconds, tokens, peakMemoryBytes } = value;
      return { adapters: { lora, adapterOf }, cost: { seconds, tokens, peakMemoryBytes } };
    }
    if (value.type === 'user')
      onProgress?.({ stage: 'training', done: value.place - 1, total: value.users, unit: 'users' });
  }
}
