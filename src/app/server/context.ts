/** @file What the routes of a server share: the model and its batch, the store, limits, numbers, and what runs at the moment. */

import { AbortedError } from '../../base/errors.ts';
import type { Scheduler } from '../../engine/generate/scheduler.ts';
import type { Model } from '../../engine/models/model.ts';
import type { PromptSettings } from '../../method/prompts/pair.ts';
import type { KeptGraphs } from '../../method/scoring/kept-graphs.ts';
import { ApiError } from './api-error.ts';
import type { EffectsDesk } from './effects-desk.ts';
import type { Concurrency, FailureLimit, RateLimits } from './limits.ts';
import type { ServerMetrics } from './metrics.ts';
import type { RequestLine } from './request-log.ts';
import type { ServedAdapters } from './served-adapters.ts';
import type { ServerSettings } from './settings.ts';
import type { KeyRole, Store } from './store-contract.ts';
import type { TextQueue } from './text-queue.ts';

/** A running server, as its routes see it. */
export interface ServerContext {
  readonly model: Model;
  /** What clients name the base by. */
  readonly modelId: string;
  readonly prompt: PromptSettings;
  readonly version: string;
  readonly created: number;
  readonly settings: ServerSettings;
  readonly store: Store;
  readonly defaultAdapter: string | undefined;
  /** Of a fresh server draws nothing is repeated; given in tests and by --seed. */
  readonly seed: number | undefined;
  readonly scheduler: Scheduler;
  readonly queue: TextQueue;
  readonly effects: EffectsDesk;
  /** Of effects: requests of one shape of adapter share what was compiled. */
  readonly graphs: KeptGraphs;
  readonly adapters: ServedAdapters;
  readonly rates: RateLimits;
  readonly perUser: Concurrency;
  readonly perKey: Concurrency;
  readonly failures: FailureLimit;
  readonly metrics: ServerMetrics;
  readonly live: LiveRequests;
  readonly log: (line: RequestLine) => void;
  /** `undefined` while it takes work; `failed` when what computes has ended. */
  notReady(): 'loading' | 'draining' | 'failed' | undefined;
}

/** Who calls. */
export interface Caller {
  readonly role: KeyRole;
  readonly user?: string;
  /** Names the key in limits. */
  readonly id: string;
}

/** A request that computes. */
export interface LiveRequest {
  readonly user: string | undefined;
  readonly signal: AbortSignal;
  /** Ends it with an error, within one token. */
  stop(reason: ApiError): void;
  end(): void;
}

/** All requests that compute. */
export interface LiveRequests {
  begin(user: string | undefined, left: AbortSignal | undefined, timeout: number): LiveRequest;
  ofUser(user: string): readonly LiveRequest[];
  all(): readonly LiveRequest[];
}

/** The client left: nobody reads the answer, logs and metrics do. */
export const clientLeft = (): ApiError =>
  new ApiError(499, 'client: expected to read the answer, got gone', { code: 'client_closed' });

export function liveRequests(): LiveRequests {
  const live = new Set<LiveRequest>();
  return {
    begin: (user, left, timeout) => {
      const control = new AbortController();
      const stop = (reason: ApiError) =>
        control.abort(new AbortedError(reason.message, { code: 'aborted', cause: reason }));
      const leave = () => stop(clientLeft());
      const timer = setTimeout(
        () =>
          stop(
            new ApiError(504, `request: expected to end within ${timeout} s, got longer`, {
              code: 'request_timeout',
              retryAfter: 1,
            }),
          ),
        timeout * 1000,
      );
      if (left?.aborted) leave();
      left?.addEventListener('abort', leave, { once: true });
      const request: LiveRequest = {
        user,
        signal: control.signal,
        stop,
        end: () => {
          clearTimeout(timer);
          left?.removeEventListener('abort', leave);
          live.delete(request);
        },
      };
      live.add(request);
      return request;
    },
    ofUser: (user) => [...live].filter((request) => request.user === user),
    all: () => [...live],
  };
}
