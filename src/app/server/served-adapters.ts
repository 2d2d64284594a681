/**
 * @file Adapters in memory: loaded by their content's hash, held by the requests that use them, the least recently used let go
 * first. A request keeps the version that it began with, whatever its name comes to mean.
 */
import { NextQuillError } from '../../base/errors.ts';
import type { KeyedAdapter } from '../../engine/generate/scheduler.ts';
import { loadAdapter } from '../../engine/lora/adapter-folder.ts';
import { paddedAdapter } from '../../engine/lora/padded-adapter.ts';
import type { Model } from '../../engine/models/model.ts';
import type { PromptSettings } from '../../method/prompts/pair.ts';
import { checkChatTemplate, readRunInfo } from '../../method/runs/run-info.ts';
import { ApiError } from './api-error.ts';
import type { JsonObject, Store, StoredAdapter } from './store-contract.ts';

/** An adapter as requests use it. */
export interface ServedAdapter {
  readonly hash: string;
  readonly adapter: KeyedAdapter;
  /** How prompts were made when it was trained, where that is known. */
  readonly prompt: PromptSettings | undefined;
}

/** One use of an adapter. */
export interface AdapterHold extends ServedAdapter {
  readonly name: string;
  release(): void;
}

export interface ServedAdapters extends Disposable {
  hold(record: StoredAdapter): Promise<AdapterHold>;
  /** Checks files before they are kept. @throws {ApiError} 422 `hostile_adapter`, 409 `adapter_mismatch` */
  check(folder: string): Promise<JsonObject>;
  /** A name has come to mean something else, or nothing: files that nobody holds may go. */
  unnamed(hash: string): Promise<void>;
  status(): { readonly loaded: number; readonly bytes: number; readonly loads: number };
}

interface Loaded {
  readonly served: Promise<ServedAdapter>;
  bytes: number;
  holds: number;
  /** Lets go what the compute thread keeps of it. */
  drop: () => void;
}

export function servedAdapters(
  model: Model,
  store: Pick<Store, 'adapters' | 'releaseAdapter'>,
  { adapterMemory }: { readonly adapterMemory: number },
): ServedAdapters {
  /** By hash, the least recently used first. */
  const loaded = new Map<string, Loaded>();
  let loads = 0;
  const bytes = () => [...loaded.values()].reduce((sum, each) => sum + each.bytes, 0);
  const load = async ({ hash, folder }: StoredAdapter): Promise<ServedAdapter> => {
    loads += 1;
    const { lora, tensors } = paddedAdapter(await loadAdapter(folder, model));
    const info = await readRunInfo(folder);
    const entry = loaded.get(hash);
    if (entry !== undefined && model.thread !== undefined) entry.drop = model.thread.keep(tensors);
    return { hash, adapter: { key: hash, lora, tensors }, prompt: info?.prompt };
  };
  const letGo = (hash: string) => {
    loaded.get(hash)?.drop();
    loaded.delete(hash);
  };
  const makeRoom = () => {
    for (const [hash, { holds }] of loaded) {
      if (bytes() <= adapterMemory) return;
      if (holds === 0) letGo(hash);
    }
  };
  const unnamed = async (hash: string) => {
    if ((loaded.get(hash)?.holds ?? 0) > 0 || store.adapters().some((each) => each.hash === hash)) return;
    letGo(hash);
    await store.releaseAdapter(hash);
  };
  return {
    hold: async (record) => {
      const { hash, name } = record;
      const entry = loaded.get(hash) ?? { served: load(record), bytes: 0, holds: 0, drop: () => {} };
      loaded.delete(hash);
      loaded.set(hash, entry);
      entry.holds += 1;
      let isReleased = false;
      const release = () => {
        if (isReleased) return;
        isReleased = true;
        entry.holds -= 1;
        makeRoom();
        // A failure to remove files leaves them for the next start, which looks for them.
        unnamed(hash).catch(() => {});
      };
      try {
        const served = await entry.served;
        // Here, and where the model computes.
        entry.bytes = bytesOf(served.adapter, model.thread === undefined ? 1 : 2);
        makeRoom();
        return { ...served, name, release };
      } catch (error) {
        letGo(hash);
        entry.holds -= 1;
        throw error;
      }
    },
    check: (folder) => checkAdapter(folder, model),
    unnamed,
    [Symbol.dispose]: () => {
      for (const hash of [...loaded.keys()]) letGo(hash);
    },
    status: () => ({ loaded: loaded.size, bytes: bytes(), loads }),
  };
}

const bytesOf = ({ tensors }: KeyedAdapter, copies: number) =>
  copies * Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);

async function checkAdapter(folder: string, model: Model): Promise<JsonObject> {
  try {
    const { lora, info } = await loadAdapter(folder, model);
    if (info?.modelHash !== undefined && info.modelHash !== model.hash)
      throw new ApiError(
        409,
        `adapter: expected one of the base ${model.hash}, got one of ${info.modelHash}`,
        {
          code: 'adapter_mismatch',
          param: 'nextquill.json',
          shouldRetry: false,
          hint: 'Put the adapter to a server of the base that it was trained on.',
        },
      );
    const run = await readRunInfo(folder);
    if (run !== undefined) checkChatTemplate(run, model);
    const { rank, loraAlpha, targetModules } = lora;
    return {
      rank,
      loraAlpha,
      targetModules,
      ...(run?.prompt && { template: run.prompt.template }),
      ...(run?.objective && { objective: run.objective }),
    };
  } catch (error) {
    if (error instanceof ApiError || !(error instanceof NextQuillError)) throw error;
    // The folder is the server's own: its name says nothing to the caller.
    const message = error.message.replaceAll(`${folder}/`, '').replaceAll(folder, 'adapter');
    const isMismatch = error.code === 'lora/tokenizer' || error.code === 'run/chat-template';
    throw new ApiError(isMismatch ? 409 : 422, message, {
      code: isMismatch ? 'adapter_mismatch' : 'hostile_adapter',
      param: isMismatch ? 'nextquill.json' : 'adapter_model.safetensors',
      hint: error.hint,
      ...(isMismatch && { shouldRetry: false }),
      cause: error,
    });
  }
}
