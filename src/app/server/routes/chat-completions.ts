/** @file `POST /v1/chat/completions`: an answer in the user's style, whole or as it is written. */
import { randomUUID } from 'node:crypto';
import type { SequenceStep } from '../../../engine/generate/text-sequence.ts';
import { copiedText } from '../../../method/generation/generate.ts';
import { itemEffects } from '../../../method/scoring/item-effects.ts';
import { type ChatPlan, planChat } from '../chat.ts';
import type { LiveRequest, ServerContext } from '../context.ts';
import { type RouteRequest, route } from '../route.ts';
import { writtenAnswer } from '../streamed-answer.ts';
import { runText, type TextTimes } from '../text-run.ts';
import { chatToken } from '../token-json.ts';
import { checked, parseJson, readBytes } from '../wire/read-body.ts';
import { type ChatRequest, chatRequest } from '../wire/text-requests.ts';

export const chatCompletions = route({
  method: 'post',
  path: '/v1/chat/completions',
  access: 'any',
  summary: 'Writes an answer, with the history of a user and the strength of its effect',
  bodies: ['json'],
  body: chatRequest,
  handler: async (context) => {
    const { server, caller, request, signal, told } = context;
    const body = parseJson(await readBytes(request, server.settings.maxBody), 'body');
    const asked = checked(chatRequest, body, { nullIsAbsent: true });
    const plan = await planChat(server, caller, asked);
    const { user, adapter, modelName } = plan.prompt;
    told.model = modelName;
    told.adapter = adapter?.hash.slice(0, 8);
    if (user !== undefined) told.user = server.store.pseudonym(user.id);
    const leave: (() => void)[] = [plan.prompt.release];
    const release = () => {
      for (const each of leave.splice(0)) each();
    };
    let live: LiveRequest;
    try {
      leave.push(server.perKey.enter(caller.id));
      if (user !== undefined) leave.push(server.perUser.enter(user.id));
      server.queue.check(plan.task);
      live = server.live.begin(user?.id, signal, server.settings.requestTimeout);
    } catch (error) {
      release();
      throw error;
    }
    const answer = answerOf(context, asked, plan, live);
    return writtenAnswer(context, live, answer, {
      stream: asked.stream,
      headers: () => server.rates.headers(caller.id),
      release,
    });
  },
});

/** One answer of n texts. */
function answerOf(
  { server, caller, told }: RouteRequest,
  asked: ChatRequest,
  plan: ChatPlan,
  live: LiveRequest,
) {
  const { prompt, pair, task } = plan;
  const { tokenizer } = server.model;
  const id = `chatcmpl-${randomUUID().replaceAll('-', '')}`;
  const texts = task.prompts.map(() => ({
    text: '',
    tokens: 0,
    finish: 'length' as 'stop' | 'length',
    logprobs: [] as object[],
  }));
  const times: TextTimes = { queueMs: 0, firstTokenMs: undefined };
  const warnings = [...plan.warnings];
  // With strength 0 the prompt without history runs alone.
  const shown = prompt.strength === 0 && !plan.effects ? [] : pair.shown;
  let ofItems: readonly object[] | undefined;
  let passes = pair.hasHistory && task.prompts[0]!.guidance !== undefined ? 2 : 1;
  const usage = () => {
    const completion = texts.reduce((sum, { tokens }) => sum + tokens, 0);
    const { length } = task.prompts[0]!.ids;
    return { prompt_tokens: length, completion_tokens: completion, total_tokens: length + completion };
  };
  const head = {
    id,
    created: Math.floor(Date.now() / 1000),
    model: prompt.modelName,
    system_fingerprint: prompt.fingerprint,
  };
  const begun = {
    ...(prompt.user && { user: prompt.user.id }),
    strength: prompt.strength,
    template: prompt.settings.template,
    seed: plan.seed,
    adapter: prompt.adapter === undefined ? null : { name: prompt.adapter.name, hash: prompt.adapter.hash },
    historyItems: shown.map((item) => item.id),
    historyItemsDropped: plan.historyItemsDropped,
    ...(prompt.historyVersion !== undefined && { historyVersion: prompt.historyVersion }),
  };
  const ended = () => ({
    ...(ofItems && { items: ofItems }),
    copied: texts.map(({ text }) => copiedText(text, prompt.strength === 0 ? [] : shown).share),
    passes,
    queueMs: times.queueMs,
    firstTokenMs: times.firstTokenMs ?? null,
    warnings,
  });
  const chunk = (
    index: number,
    delta: object,
    more: { finish?: string; logprobs?: object; nextquill?: object } = {},
  ) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [
      {
        index,
        delta,
        ...(asked.logprobs && {
          logprobs: more.logprobs ? { content: [more.logprobs], refusal: null } : null,
        }),
        finish_reason: more.finish ?? null,
      },
    ],
    ...(asked.stream_options?.include_usage && { usage: null }),
    ...(more.nextquill && { nextquill: more.nextquill }),
  });
  const run = async (
    send: (data: unknown) => void = () => {},
    onFlow?: Parameters<typeof runText>[5],
  ): Promise<void> => {
    for (let index = 1; index < texts.length; index++) send(chunk(index, { role: 'assistant', content: '' }));
    const onStep = (index: number, step: SequenceStep) => {
      const of = texts[index]!;
      const isEnd = step.finish === 'end-of-turn';
      of.tokens += 1;
      of.text += step.text;
      const logprobs = asked.logprobs && !isEnd ? chatToken(step, tokenizer, plan.effects) : undefined;
      if (logprobs !== undefined) of.logprobs.push(logprobs);
      if (step.text !== '' || logprobs !== undefined)
        send(chunk(index, { content: step.text }, logprobs && { logprobs }));
      if (step.finish === undefined) return;
      of.finish = step.finish === 'length' ? 'length' : 'stop';
      // The last one ends with what is known only then.
      if (texts.some((other) => other !== of && !finished.has(other)))
        send(chunk(index, {}, { finish: of.finish }));
      else last = index;
      finished.add(of);
    };
    const finished = new Set<object>();
    let last = 0;
    await runText(server, live, prompt.user?.id ?? caller.id, { ...task, onStep }, times, onFlow);
    if (plan.items) {
      const measured = await itemsOf(server, plan, texts[0]!.text, live.signal);
      ofItems = measured.items;
      passes += measured.passes;
    }
    if (plan.remember) remember(server, plan, warnings);
    const { prompt_tokens, completion_tokens } = usage();
    Object.assign(told, { promptTokens: prompt_tokens, completionTokens: completion_tokens, ...times });
    server.metrics.tokens('prompt', prompt_tokens);
    server.metrics.tokens('completion', completion_tokens);
    server.rates.spend(caller.id, prompt_tokens + completion_tokens);
    send(chunk(last, {}, { finish: texts[last]!.finish, nextquill: { ...begun, ...ended() } }));
    if (asked.stream_options?.include_usage)
      send({ ...head, object: 'chat.completion.chunk', choices: [], usage: usage() });
  };
  return {
    run,
    first: () => chunk(0, { role: 'assistant', content: '' }, { nextquill: begun }),
    whole: () => ({
      ...head,
      object: 'chat.completion',
      choices: texts.map(({ text, finish, logprobs }, index) => ({
        index,
        message: { role: 'assistant', content: text, refusal: null },
        logprobs: asked.logprobs ? { content: logprobs, refusal: null } : null,
        finish_reason: finish,
      })),
      usage: usage(),
      nextquill: { ...begun, ...ended() },
    }),
  };
}

/** Which items the text used: D of each with its interval. */
async function itemsOf(
  server: ServerContext,
  { prompt, query, earlier, pair }: ChatPlan,
  response: string,
  signal: AbortSignal,
): Promise<{ items: object[]; passes: number }> {
  if (response === '' || !pair.hasHistory) return { items: [], passes: 0 };
  const { model, graphs } = server;
  const scored = { model, graphs, ...(prompt.adapter && { adapter: prompt.adapter.adapter }) };
  const example = {
    id: 'request',
    user: prompt.user?.id ?? '',
    query,
    response,
    history: prompt.history,
    earlier,
  };
  const passes = Math.min(2 ** pair.historyItemsUsed, server.settings.maxEffectPasses);
  const items = await server.effects.run(signal, async () => {
    for await (const measured of itemEffects(scored, [example], { prompt: prompt.settings, signal }))
      return measured.items.map(({ item, effect, mean, low, high, kind, twin }) => ({
        id: item.id,
        ...{ effect, mean, low, high, kind },
        ...(twin !== undefined && { twin }),
      }));
    return [];
  });
  server.metrics.effectsPasses(passes);
  return { items, passes };
}

/** The user's last message becomes an item: a history holds what the user wrote, never what the model did. */
function remember(server: ServerContext, { prompt, query, earlier }: ChatPlan, warnings: string[]): void {
  const before = earlier.at(-1);
  const item = { query: before?.role === 'assistant' ? before.content : '', text: query };
  try {
    server.store.addItems(prompt.user!.id, [item], { most: server.settings.maxItems });
  } catch (error) {
    // The answer is written already; that its message was not kept is told with it.
    warnings.push(`remember: ${(error as Error).message}`);
  }
}
