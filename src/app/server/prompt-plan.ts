/** @file From the names in a request to what computes it: whose history, which adapter, how the prompt is made. */
import { nearestName } from '../../base/errors.ts';
import { sha256 } from '../../base/hash.ts';
import type { HistoryItem } from '../../method/data/example.ts';
import type { PromptSettings } from '../../method/prompts/pair.ts';
import { promptTemplates, type ReferenceValue } from '../../method/prompts/template.ts';
import { DEFAULT_RETRIEVAL } from '../../method/retrieval/choose.ts';
import { ApiError, invalid } from './api-error.ts';
import type { Caller, ServerContext } from './context.ts';
import type { AdapterHold } from './served-adapters.ts';
import type { StoredAdapter, StoredUser } from './store-contract.ts';

/** What a request says of its prompt. */
export interface PromptChoice {
  readonly model: string;
  readonly user?: string | undefined;
  /** Makes a user that is not there. */
  readonly create?: boolean;
  readonly history: 'stored' | 'none' | readonly GivenItem[];
  readonly adapter: string;
  readonly maxHistory?: number | undefined;
  readonly template?: string | undefined;
  readonly reference?: ReferenceValue | undefined;
  readonly strength?: number | undefined;
}

/** An item for one request only. */
export interface GivenItem {
  readonly id?: string | undefined;
  readonly time?: string | undefined;
  readonly query: string;
  readonly text: string;
}

/** Everything that a prompt is made of. Whoever has it releases it. */
export interface PromptPlan {
  readonly user: StoredUser | undefined;
  readonly history: readonly HistoryItem[];
  readonly historyVersion: number | undefined;
  readonly adapter: AdapterHold | undefined;
  readonly settings: PromptSettings;
  readonly strength: number;
  /** As answers name it: the base, or `base:adapter`. */
  readonly modelName: string;
  readonly fingerprint: string;
  readonly warnings: readonly string[];
  release(): void;
}

/** The example that a request is: draws of a text are those of `generate` for an example with this id. */
export const REQUEST_EXAMPLE = 'request';

/** @throws {ApiError} for a name that stands for nothing, or for somebody else */
export async function planPrompt(
  server: ServerContext,
  caller: Caller,
  choice: PromptChoice,
): Promise<PromptPlan> {
  const user = namedUser(server, caller, choice);
  const strength = choice.strength ?? user?.strength ?? 1;
  const { maxStrength } = server.settings;
  if (!(Math.abs(strength) <= maxStrength))
    throw invalid('nextquill.strength', `a number from -${maxStrength} to ${maxStrength}`, String(strength));
  if (choice.template !== undefined && !promptTemplates.some(({ id }) => id === choice.template))
    throw invalid(
      'nextquill.template',
      `one of ${promptTemplates.map(({ id }) => id).join(', ')}`,
      JSON.stringify(choice.template.slice(0, 40)),
    );
  const record = namedAdapter(server, user, choice);
  const adapter = record && (await server.adapters.hold(record));
  const { settings, warnings } = promptSettings(server, adapter, choice);
  const { items, version } = historyOf(server, user, choice, settings);
  const modelName = adapter === undefined ? server.modelId : `${server.modelId}:${adapter.name}`;
  const print = sha256(JSON.stringify([server.model.hash, adapter?.hash ?? null, settings, server.version]));
  return {
    user,
    history: items,
    historyVersion: version,
    adapter,
    settings,
    strength,
    modelName,
    fingerprint: `fp_${print.slice(0, 8)}`,
    warnings,
    release: () => adapter?.release(),
  };
}

/** The user of a request; a user's key decides it, and the body can only agree. */
export function userOfCaller(caller: Caller, named: string | undefined, param: string): string | undefined {
  if (caller.role !== 'user') return named;
  if (named === undefined || named === caller.user) return caller.user;
  throw new ApiError(403, `${param}: expected the user of the key, got another`, {
    code: 'wrong_user',
    param,
    hint: 'Use a key of this user, or of an app.',
  });
}

function namedUser(server: ServerContext, caller: Caller, choice: PromptChoice): StoredUser | undefined {
  const id = userOfCaller(caller, choice.user, 'nextquill.user');
  if (id === undefined) return undefined;
  const user =
    server.store.user(id) ??
    (choice.create && caller.role !== 'user' ? server.store.putUser(id, {}) : undefined);
  if (user === undefined)
    throw new ApiError(404, `user: expected one of the store, got ${JSON.stringify(id)}`, {
      code: 'user_not_found',
      param: 'nextquill.user',
      hint: `Make the user by PUT /v1/nextquill/users/${id}, or send "create": true.`,
    });
  if (user.forgetting)
    throw new ApiError(409, 'user: expected one that is not being forgotten', {
      code: 'user_being_forgotten',
      param: 'nextquill.user',
      retryAfter: 1,
    });
  return user;
}

/** Adapters that a request for this user may name: shared ones, and the user's own. */
export const visibleAdapters = (
  { store }: Pick<ServerContext, 'store'>,
  user: string | undefined,
): StoredAdapter[] => store.adapters().filter(({ owner }) => owner === undefined || owner === user);

function namedAdapter(
  server: ServerContext,
  user: StoredUser | undefined,
  { model, adapter }: PromptChoice,
): StoredAdapter | undefined {
  const { modelId, defaultAdapter } = server;
  const visible = visibleAdapters(server, user?.id);
  const find = (name: string) => visible.find((each) => each.name === name);
  const byModel =
    model === modelId
      ? undefined
      : find(model.startsWith(`${modelId}:`) ? model.slice(modelId.length + 1) : model);
  if (model !== modelId && byModel === undefined) {
    const names = [modelId, ...visible.flatMap(({ name }) => [name, `${modelId}:${name}`])];
    const near = nearestName(model, names);
    throw new ApiError(
      404,
      `model: expected one of GET /v1/models, got ${JSON.stringify(model.slice(0, 140))}`,
      {
        code: 'model_not_found',
        param: 'model',
        hint: near === undefined ? `Name ${modelId}.` : `Did you mean "${near}"?`,
      },
    );
  }
  if (adapter !== 'auto' && byModel !== undefined && adapter !== byModel.name)
    throw invalid(
      'nextquill.adapter',
      `the adapter of model, ${byModel.name}, or none`,
      JSON.stringify(adapter),
      {
        hint: 'Name the adapter once.',
      },
    );
  if (byModel !== undefined) return byModel;
  if (adapter === 'none') return undefined;
  if (adapter !== 'auto') {
    const found = find(adapter);
    if (found !== undefined) return found;
    throw new ApiError(404, `adapter: expected one of GET /v1/models, got ${JSON.stringify(adapter)}`, {
      code: 'adapter_not_found',
      param: 'nextquill.adapter',
    });
  }
  const own = user && (user.adapter ?? visible.find(({ owner }) => owner === user.id)?.name);
  const name = own ?? defaultAdapter;
  if (name === undefined) return undefined;
  const found = find(name);
  if (found !== undefined) return found;
  // Served without it the user would get another's words in silence.
  throw new ApiError(
    404,
    `adapter: expected ${JSON.stringify(name)}, which the user or the server is set to, got none`,
    {
      code: 'adapter_not_found',
      param: 'nextquill.adapter',
      hint: 'Put the adapter, or set another.',
    },
  );
}

function promptSettings(
  server: ServerContext,
  adapter: AdapterHold | undefined,
  choice: PromptChoice,
): { settings: PromptSettings; warnings: string[] } {
  const trained = adapter?.prompt;
  const base = trained ?? server.prompt;
  const template = choice.template ?? server.settings.template ?? base.template;
  const warnings: string[] = [];
  if (trained !== undefined && template !== trained.template)
    warnings.push(
      `template: ${template} is not ${trained.template}, which the adapter was trained with; its effects may be near 0`,
    );
  const wanted = choice.reference ?? base.reference;
  // Other users' texts stand in no prompt of a server.
  const reference = wanted === 'placebo' ? 'removed' : wanted;
  if (wanted === 'placebo')
    warnings.push('reference: the adapter was trained with placebo, and is served with removed');
  const retrieval = base.retrieval ?? DEFAULT_RETRIEVAL;
  const isServed = retrieval === 'latest' || retrieval === 'bm25';
  if (!isServed)
    warnings.push(`retrieval: the adapter was trained with ${retrieval}, and is served with latest`);
  const settings: PromptSettings = {
    template,
    reference,
    maxTokens: Math.min(base.maxTokens, server.prompt.maxTokens),
    maxHistory: choice.maxHistory ?? base.maxHistory,
    retrieval: isServed ? retrieval : 'latest',
    ...(base.historyStride !== undefined && { historyStride: base.historyStride }),
  };
  return { settings, warnings };
}

function historyOf(
  { store }: ServerContext,
  user: StoredUser | undefined,
  { history }: PromptChoice,
  { maxHistory, retrieval, historyStride = 1 }: PromptSettings,
): { items: HistoryItem[]; version: number | undefined } {
  if (history === 'none') return { items: [], version: user?.historyVersion };
  if (history !== 'stored')
    return {
      items: history.map(({ id, time, query, text }, i) => ({
        id: id ?? `given-${i + 1}`,
        ...(time !== undefined && { time }),
        query,
        text,
      })),
      version: undefined,
    };
  if (user === undefined) return { items: [], version: undefined };
  // Where a window begins by steps depends on all that lies before it.
  const isLatest = retrieval === 'latest' && historyStride === 1;
  const found = store.history(user.id, isLatest ? { latest: maxHistory } : {});
  return {
    items: found.items.map(({ id, time, query, text }) => ({ id, time, query, text })),
    version: found.version,
  };
}
