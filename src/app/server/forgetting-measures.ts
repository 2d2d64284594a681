/** @file What a forgetting asks of a running server: log-probabilities of the user's texts, and that nothing of the user runs on. */
import { loadAdapter } from '../../engine/lora/adapter-folder.ts';
import { readRunInfo } from '../../method/runs/run-info.ts';
import type { OpenedModel } from '../open/scored-model.ts';
import { ApiError } from './api-error.ts';
import type { ServerContext } from './context.ts';
import { localMeasures } from './forgetting/local-measures.ts';
import type { ForgettingMeasures } from './store-contract.ts';

/** Between looks at whether the user's requests have ended. */
const LOOK_MS = 5;

/** Measures for one forgetting; what they compiled goes when they are disposed of. */
export function forgettingMeasures(server: ServerContext): ForgettingMeasures & AsyncDisposable {
  const { store, defaultAdapter, effects, metrics } = server;
  const local = localMeasures((folder) => servedModel(server, folder));
  return {
    logProbabilities: (probes, given) => {
      const adapter = given ?? (defaultAdapter === undefined ? undefined : store.adapter(defaultAdapter));
      metrics.effectsPasses(2 * probes.length);
      // What was begun is finished: a caller who leaves does not stop the forgetting.
      return effects.run(new AbortController().signal, () => local.logProbabilities(probes, adapter));
    },
    releaseUser: (user) => releaseUser(server, user),
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  };
}

/** The server's base as it would answer, with the adapter in a folder or without. */
async function servedModel(
  { model, modelId, prompt: base, settings, graphs }: ServerContext,
  folder: string | undefined,
): Promise<OpenedModel> {
  const adapter = folder === undefined ? undefined : await loadAdapter(folder, model);
  const trained = folder === undefined ? undefined : (await readRunInfo(folder))?.prompt;
  const prompt = trained ?? base;
  return {
    model,
    graphs,
    name: modelId,
    ...(adapter && { adapter: { lora: adapter.lora, tensors: adapter.tensors } }),
    prompt: {
      ...prompt,
      template: settings.template ?? prompt.template,
      reference: 'removed',
      retrieval: 'latest',
    },
  };
}

/** Ends what runs for a user; done when nothing does. */
async function releaseUser({ live }: ServerContext, user: string): Promise<void> {
  const reason = new ApiError(409, 'user: expected one that is not being forgotten', {
    code: 'user_being_forgotten',
    param: 'nextquill.user',
    retryAfter: 1,
  });
  for (const request of live.ofUser(user)) request.stop(reason);
  while (live.ofUser(user).length > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
