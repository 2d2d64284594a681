/** @file Health, readiness, models, status, metrics and the document of the API. */
import { runtimeVersion } from '../../../engine/runtime/version.ts';
import { ApiError } from '../api-error.ts';
import type { ServerContext } from '../context.ts';
import { userOfCaller, visibleAdapters } from '../prompt-plan.ts';
import { json, type Route, route } from '../route.ts';
import type { StoredAdapter } from '../store-contract.ts';

const modelJson = ({ modelId, created }: ServerContext) => ({
  id: modelId,
  object: 'model',
  created,
  owned_by: 'nextquill',
});

const adapterModel = ({ modelId }: ServerContext, { name, hash, created, info }: StoredAdapter) => ({
  id: `${modelId}:${name}`,
  object: 'model',
  created: Math.floor(new Date(created).getTime() / 1000),
  owned_by: 'nextquill',
  parent: modelId,
  nextquill: { hash, rank: info.rank ?? null, template: info.template ?? null },
});

/** Adapters that a caller may name: an app acts for any user, so it sees all of them. */
function listed(server: ServerContext, user: string | undefined, all: boolean): object[] {
  const adapters = all ? server.store.adapters() : visibleAdapters(server, user);
  return [modelJson(server), ...adapters.map((adapter) => adapterModel(server, adapter))];
}

/** @param document the OpenAPI document, once all routes are mounted */
export const serviceRoutes = (document: () => object): Route[] => [
  route({
    method: 'get',
    path: '/health',
    access: 'public',
    summary: 'The process lives',
    handler: () => json({ status: 'ok' }),
  }),
  route({
    method: 'get',
    path: '/ready',
    access: 'public',
    summary: 'Work can be done',
    handler: ({ server }) => {
      const state = server.notReady();
      return state === undefined ? json({ status: 'ready' }) : json({ status: state }, 503);
    },
  }),
  route({
    method: 'get',
    path: '/v1/models',
    access: 'any',
    summary: 'The base and the adapters that the key may name',
    handler: ({ server, caller }) =>
      json({
        object: 'list',
        data: listed(server, userOfCaller(caller, undefined, 'user'), caller.role !== 'user'),
      }),
  }),
  route({
    method: 'get',
    path: '/v1/models/{id}',
    access: 'any',
    summary: 'One model',
    handler: ({ server, caller, params }) => {
      const { id } = params;
      const models = listed(server, userOfCaller(caller, undefined, 'user'), caller.role !== 'user') as {
        id: string;
      }[];
      const found = models.find((model) => model.id === id || model.id === `${server.modelId}:${id}`);
      if (found !== undefined) return json(found);
      throw new ApiError(404, 'model: expected one of GET /v1/models, got another', {
        code: 'model_not_found',
        param: 'model',
      });
    },
  }),
  route({
    method: 'get',
    path: '/v1/nextquill/status',
    access: 'app',
    summary: 'Rows, queue, adapters, limits and versions',
    handler: ({ server }) => {
      const { scheduler, queue, effects, adapters, settings, store, version, modelId, model } = server;
      return json({
        object: 'nextquill.status',
        model: { id: modelId, hash: model.hash },
        versions: { nextquill: version, node: process.versions.node, onnxruntime: runtimeVersion },
        rows: { used: scheduler.status().rowsUsed, total: scheduler.status().rowsTotal },
        running: scheduler.status().tasks,
        waiting: queue.waiting(),
        effectsWaiting: effects.waiting(),
        paused: scheduler.status().paused,
        groups: scheduler.status().groups,
        passes: scheduler.status().passes,
        adapters: adapters.status(),
        store: { ...store.counts(), lasting: store.folder !== undefined },
        limits: Object.fromEntries(
          Object.entries(settings).map(([name, value]) => [
            name,
            Number.isFinite(value) ? value : (value ?? null),
          ]),
        ),
      });
    },
  }),
  route({
    method: 'get',
    path: '/metrics',
    access: 'admin',
    summary: 'Numbers for Prometheus',
    handler: async ({ server }) =>
      new Response(await server.metrics.text(), {
        headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
      }),
  }),
  route({
    method: 'get',
    path: '/openapi.json',
    access: 'any',
    summary: 'This document',
    handler: () => json(document()),
  }),
];
