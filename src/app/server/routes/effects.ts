/** @file `POST /v1/nextquill/effects`: what a user's history changes at every token of a text. */
import type { Example } from '../../../method/data/example.ts';
import type { EffectMap } from '../../../method/explain/effect-map.ts';
import { explainAll } from '../../../method/explain/explain.ts';
import { promptPair } from '../../../method/prompts/pair.ts';
import { effectMapJson } from '../../../reports/heat-map/effect-map-json.ts';
import { renderEffectMapHtml } from '../../../reports/heat-map/heat-map-html.ts';
import { ApiError } from '../api-error.ts';
import type { LiveRequest, ServerContext } from '../context.ts';
import { passesOfItems } from '../item-passes.ts';
import { type PromptPlan, planPrompt, REQUEST_EXAMPLE } from '../prompt-plan.ts';
import { json, route } from '../route.ts';
import { streamedAnswer } from '../streamed-answer.ts';
import { checked, parseJson, readBytes } from '../wire/read-body.ts';
import { type EffectsRequest, effectsRequest } from '../wire/text-requests.ts';

/** Users whose histories the comparison chooses from, and items of each. */
const POOL = { users: 200, items: 8 } as const;

/** Of a map that is streamed: minutes are allowed, hours are not. */
const MOST_STREAMED_PASSES = 100_000;

export const effectsRoute = route({
  method: 'post',
  path: '/v1/nextquill/effects',
  access: 'any',
  summary: 'The heat map of a text for a user, as JSON, HTML or rows',
  bodies: ['json'],
  body: effectsRequest,
  handler: async (context) => {
    const { server, caller, request, signal, told } = context;
    const { settings } = server;
    const body = parseJson(await readBytes(request, settings.maxBody), 'body');
    const asked = checked(effectsRequest, body, { nullIsAbsent: true });
    if (asked.placebo > 0 && caller.role !== 'admin')
      throw new ApiError(403, 'placebo: expected the role admin, got another', {
        code: 'role_not_allowed',
        param: 'placebo',
      });
    const plan = await planPrompt(server, caller, asked);
    told.model = plan.modelName;
    told.adapter = plan.adapter?.hash.slice(0, 8);
    if (plan.user !== undefined) told.user = server.store.pseudonym(plan.user.id);
    const leave: (() => void)[] = [plan.release];
    const release = () => {
      for (const each of leave.splice(0)) each();
    };
    try {
      const example: Example = {
        id: REQUEST_EXAMPLE,
        user: plan.user?.id ?? '',
        query: asked.query,
        response: asked.response,
        history: plan.history,
      };
      const pair = promptPair(example, server.model.tokenizer, plan.settings);
      const most = asked.stream ? MOST_STREAMED_PASSES : settings.maxEffectPasses;
      const ofItems = asked.items ? passesOfItems(pair.historyItemsUsed, most, 'items') : 0;
      const passes = 2 + asked.placebo + ofItems;
      leave.push(server.perKey.enter(caller.id));
      if (plan.user !== undefined) leave.push(server.perUser.enter(plan.user.id));
      const live = server.live.begin(plan.user?.id, signal, settings.requestTimeout);
      const tokens = pair.withHistoryIds.length + pair.responseIds.length;
      const measure = async (onProgress: (done: number, total: number) => void) => {
        const map = await mapOf(server, plan, { example, asked, live }, onProgress);
        server.metrics.effectsPasses(passes);
        server.rates.spend(caller.id, tokens);
        Object.assign(told, { promptTokens: tokens });
        return map;
      };
      if (asked.stream)
        return streamedAnswer(
          context,
          live,
          () => `waiting ${server.effects.waiting()}`,
          async ({ send }) => {
            try {
              const map = await measure((done, total) => send({ progress: { done, total } }));
              send(document(map, plan, passes));
            } finally {
              release();
            }
          },
        );
      try {
        const map = await measure(() => {});
        release();
        return shown(map, plan, passes, request.headers.get('accept') ?? '');
      } finally {
        live.end();
      }
    } catch (error) {
      release();
      throw error;
    }
  },
});

const document = (map: EffectMap, plan: PromptPlan, passes: number) => ({
  ...effectMapJson(map),
  nextquill: {
    ...(plan.user && { user: plan.user.id }),
    template: plan.settings.template,
    adapter: plan.adapter === undefined ? null : { name: plan.adapter.name, hash: plan.adapter.hash },
    historyItems: map.history.map(({ id }) => id),
    ...(plan.historyVersion !== undefined && { historyVersion: plan.historyVersion }),
    passes,
    warnings: plan.warnings,
  },
});

function shown(map: EffectMap, plan: PromptPlan, passes: number, accept: string): Response {
  const of = document(map, plan, passes);
  if (accept.includes('application/x-ndjson'))
    return new Response(of.tokens.map((row) => `${JSON.stringify(row)}\n`).join(''), {
      headers: { 'content-type': 'application/x-ndjson; charset=utf-8' },
    });
  if (accept.includes('text/html'))
    return new Response(renderEffectMapHtml([map]), {
      headers: {
        'content-type': 'text/html; charset=utf-8',
        // The page's own script and style are inside it; nothing is loaded.
        'content-security-policy':
          "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts",
      },
    });
  return json(of);
}

interface Measuring {
  readonly example: Example;
  readonly asked: EffectsRequest;
  readonly live: LiveRequest;
}

async function mapOf(
  server: ServerContext,
  plan: PromptPlan,
  { example, asked, live }: Measuring,
  onProgress: (done: number, total: number) => void,
): Promise<EffectMap> {
  const { model, modelId, graphs } = server;
  const scored = { model, graphs, ...(plan.adapter && { adapter: plan.adapter.adapter }) };
  const { placebo: others, items, seed } = asked;
  try {
    return await server.effects.run(live.signal, async () => {
      const [map] = await explainAll(scored, [example], {
        prompt: plan.settings,
        modelName: plan.adapter === undefined ? modelId : `${modelId}:${plan.adapter.name}`,
        title: 'Effects',
        items,
        seed,
        ...(others > 0 && { others, pool: [example, ...poolOf(server, plan)] }),
        signal: live.signal,
        onProgress: ({ done, total }) => onProgress(done, total ?? done),
      });
      return map!;
    });
  } catch (error) {
    throw live.signal.aborted ? live.signal.reason : error;
  }
}

/** Other users' histories as examples: their texts go into prompts that nobody sees. */
function poolOf({ store }: ServerContext, plan: PromptPlan): Example[] {
  return store
    .users({ limit: POOL.users })
    .data.filter(
      ({ id, historyItems, forgetting }) => id !== plan.user?.id && historyItems > 0 && !forgetting,
    )
    .map(({ id }) => {
      const { items } = store.history(id, { latest: POOL.items });
      const history = items.map(({ id: item, time, query, text }) => ({ id: item, time, query, text }));
      return {
        id: `pool/${id}`,
        user: id,
        query: history.at(-1)!.query,
        response: history.at(-1)!.text,
        history,
      };
    });
}
