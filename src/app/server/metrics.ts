/** @file Numbers for Prometheus. No label ever holds a user, or an adapter of a user. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { SchedulerStatus } from '../../engine/generate/scheduler.ts';
import type { Outcome } from './request-log.ts';

/** Where the values of gauges are read when they are asked for. */
export interface MetricSources {
  scheduler(): SchedulerStatus;
  waiting(): number;
  adapters(): { readonly loaded: number; readonly bytes: number; readonly loads: number };
  store(): { readonly users: number; readonly items: number };
}

export interface ServerMetrics {
  request(labels: { route: string; status: number; outcome: Outcome }, seconds: number): void;
  firstToken(seconds: number): void;
  token(seconds: number): void;
  tokens(kind: 'prompt' | 'completion', count: number): void;
  effectsPasses(count: number): void;
  storeCommit(seconds: number): void;
  forgotten(result: string): void;
  authFailed(): void;
  text(): Promise<string>;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export function serverMetrics(sources: MetricSources): ServerMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const histogram = (name: string, help: string) =>
    new Histogram({ name: `nextquill_${name}`, help, buckets: SECONDS, registers });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `nextquill_${name}`, help, labelNames: [...labelNames], registers });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `nextquill_${name}`,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  const requests = counter('requests_total', 'Requests by how they ended', ['route', 'status', 'outcome']);
  const requestSeconds = histogram('request_seconds', 'Time of a request');
  const firstToken = histogram('first_token_seconds', 'Time from a request to its first token');
  const token = histogram('token_seconds', 'Time between tokens of a text');
  const tokens = counter('tokens_total', 'Tokens', ['kind']);
  const effectsPasses = counter('effects_passes_total', 'Passes for effects');
  const storeCommit = histogram('store_commit_seconds', 'Time of a write to the store');
  const forgets = counter('forgets_total', 'Forgettings by the status of their receipt', ['result']);
  const authFailures = counter('auth_failures_total', 'Requests with a missing or wrong key');
  gauge('rows_used', 'Rows of the cache in use', () => sources.scheduler().rowsUsed);
  gauge('rows_total', 'Rows of the cache', () => sources.scheduler().rowsTotal);
  gauge('running', 'Requests that generate', () => sources.scheduler().tasks);
  gauge('waiting', 'Requests that wait for rows', sources.waiting);
  gauge('streams_paused', 'Requests whose reader is slow', () => sources.scheduler().paused);
  gauge('adapter_groups', 'Groups of rows by adapter', () => sources.scheduler().groups);
  gauge('adapters_loaded', 'Adapters in memory', () => sources.adapters().loaded);
  gauge('adapter_bytes', 'Memory of adapters', () => sources.adapters().bytes);
  gauge('adapter_loads_total', 'Adapters loaded so far', () => sources.adapters().loads);
  gauge('store_users', 'Users in the store', () => sources.store().users);
  gauge('store_items', 'History items in the store', () => sources.store().items);
  for (const kind of ['prefill', 'decode'] as const)
    gauge(`${kind}_passes_total`, `Passes of ${kind} so far`, () => sources.scheduler().passes[kind]);
  return {
    request: ({ route, status, outcome }, seconds) => {
      requests.inc({ route, status: String(status), outcome });
      requestSeconds.observe(seconds);
    },
    firstToken: (seconds) => firstToken.observe(seconds),
    token: (seconds) => token.observe(seconds),
    tokens: (kind, count) => tokens.inc({ kind }, count),
    effectsPasses: (count) => effectsPasses.inc(count),
    storeCommit: (seconds) => storeCommit.observe(seconds),
    forgotten: (result) => forgets.inc({ result }),
    authFailed: () => authFailures.inc(),
    text: () => registry.metrics(),
  };
}
