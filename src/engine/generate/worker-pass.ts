/** @file Passes over caches that a worker holds: the rows of a cache here are places of rows there. */
import { ConfigError, EngineError } from '../../base/errors.ts';
import type { ModelWorker, WorkerModel } from '../models/model-worker.ts';
import type { ParameterValues } from '../models/pass.ts';
import type { CachedPass, openCache } from './cached-pass.ts';
import type { KeyValueCache } from './kv-cache.ts';

/** A pass of a worker, and the caches that go with it: one at a time, which is stepped as a whole. */
export interface WorkerPass extends CachedPass {
  readonly openCache: typeof openCache;
}

/** @throws {ConfigError} for weights that stand beside the model: a worker reads them from its folder */
export async function openWorkerPass(
  worker: ModelWorker,
  model: WorkerModel,
  { adapter, trained }: ParameterValues,
): Promise<WorkerPass> {
  if (trained !== undefined) throw unsupported(worker, 'weights under training');
  const writer = await worker.openWriter({ model, adapter });
  /** Where each row of the latest cache stands in the worker, and how many it holds. */
  let places: (number | undefined)[] = [];
  let held = 0;
  let latest: KeyValueCache | undefined;
  const placesOf = (cache: KeyValueCache): (number | undefined)[] => {
    if (cache === latest) return places;
    throw new EngineError('cache of a worker: expected the latest one, got one before it', {
      code: 'generate/cache',
      hint: 'Finish the texts of one call before the next one begins.',
    });
  };
  return {
    openCache: async (_model, rows) => {
      const lengths = new Array<number>(rows).fill(0);
      const cache: KeyValueCache = {
        lengths,
        rows: () => {
          throw unsupported(worker, 'the memory of its cache');
        },
        copyRow: (from, to) => {
          placesOf(cache)[to] = places[from];
          lengths[to] = lengths[from]!;
        },
        clearRow: (row) => {
          placesOf(cache)[row] = undefined;
          lengths[row] = 0;
        },
        // The next step of another cache drops its rows there.
        release: () => {},
      };
      latest = cache;
      places = new Array<undefined>(rows).fill(undefined);
      return cache;
    },
    prefill: async (cache, row, ids, signal, options) => {
      if (options?.tensors !== undefined) throw unsupported(worker, 'another adapter for a row');
      const logits = await writer.fill(ids, signal);
      placesOf(cache)[row] = held++;
      cache.lengths[row] = ids.length;
      return logits;
    },
    extend: () => {
      throw unsupported(worker, 'a prompt in parts');
    },
    step: async (cache, tokens, { first = 0, tensors } = {}) => {
      if (tensors !== undefined) throw unsupported(worker, 'another adapter for a row');
      const rows = placesOf(cache).slice(first, first + tokens.length);
      if (rows.includes(undefined) || rows.length < tokens.length)
        throw new EngineError('cache of a worker: expected rows that a prompt fills, got an empty one', {
          code: 'generate/cache',
          hint: 'Step all rows that are in use at once.',
        });
      const logits = await writer.step(rows as number[], tokens);
      // Rows that were not stepped are gone there.
      places.fill(undefined);
      held = tokens.length;
      for (let i = 0; i < tokens.length; i++) {
        places[first + i] = i;
        cache.lengths[first + i]! += 1;
      }
      return logits;
    },
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  };
}

const unsupported = (worker: ModelWorker, got: string) =>
  new ConfigError(`engine ${worker.name}: expected what a worker writes by, got ${got}`, {
    code: 'engine/unsupported',
    hint: 'Leave --engine out for this command or option.',
  });
