/** @file A chat from its request to the task that writes the answer: messages, history, dial, draws. */
import { randomInt } from 'node:crypto';
import type { BatchTask } from '../../engine/generate/scheduler.ts';
import type { ChatMessage } from '../../engine/tokenizer/chat-template.ts';
import {
  copySources,
  DEFAULT_COPY_PENALTY,
  drawsOf,
  guidedPrompt,
} from '../../method/generation/generate.ts';
import { type Prompts, promptsFor, type ShownItems } from '../../method/prompts/pair.ts';
import { invalid } from './api-error.ts';
import type { Caller, ServerContext } from './context.ts';
import { passesOfItems } from './item-passes.ts';
import { type PromptPlan, planPrompt, REQUEST_EXAMPLE } from './prompt-plan.ts';
import type { ChatRequest } from './wire/text-requests.ts';

/** Tokens of an answer whose length is not asked for, as of `generate`. */
const DEFAULT_NEW_TOKENS = 200;

/** Everything that an answer is made of. */
export interface ChatPlan {
  readonly prompt: PromptPlan;
  readonly query: string;
  readonly earlier: readonly ChatMessage[];
  readonly pair: Prompts & ShownItems;
  readonly seed: number;
  readonly effects: boolean;
  readonly items: boolean;
  readonly remember: boolean;
  readonly historyItemsDropped: number;
  readonly warnings: readonly string[];
  readonly task: BatchTask;
}

/** @throws {ApiError} for what is wrong with the request; whoever has the plan releases its prompt */
export async function planChat(
  server: ServerContext,
  caller: Caller,
  request: ChatRequest,
): Promise<ChatPlan> {
  const { settings, model } = server;
  const own = request.nextquill;
  const { query, earlier } = conversation(request);
  const user = oneUser(request);
  const effects = own?.effects ?? false;
  const items = own?.items ?? false;
  const remember = own?.remember ?? false;
  if (request.top_logprobs !== undefined && !request.logprobs)
    throw invalid('top_logprobs', 'logprobs to be true', 'false');
  if (effects && !request.logprobs) throw invalid('nextquill.effects', 'logprobs to be true', 'false');
  if (items && request.n > 1) throw invalid('nextquill.items', 'n to be 1', String(request.n));
  const maxNewTokens = newTokens(request, settings.maxNewTokens);
  const prompt = await planPrompt(server, caller, {
    model: request.model,
    user,
    create: own?.create ?? false,
    history: own?.history ?? 'stored',
    adapter: own?.adapter ?? 'auto',
    maxHistory: own?.maxHistory,
    template: own?.template,
    reference: own?.reference,
    strength: own?.strength,
  });
  try {
    if (remember && prompt.user === undefined)
      throw invalid('nextquill.remember', 'a user whose history it goes to', 'none');
    const example = { id: REQUEST_EXAMPLE, query, history: prompt.history, earlier };
    const room = { least: 1, most: maxNewTokens };
    const pair = promptsFor(example, model.tokenizer, prompt.settings, room);
    if (items) passesOfItems(pair.historyItemsUsed, settings.maxEffectPasses, 'nextquill.items');
    const candidates = Math.min(prompt.settings.maxHistory, prompt.history.length);
    const historyItemsDropped = candidates - pair.historyItemsUsed;
    const seed = request.seed ?? server.seed ?? randomInt(2 ** 32);
    const guided = guidedPrompt(pair, prompt.strength, effects);
    const sources = copySources(pair.shown, prompt.strength, model.tokenizer);
    return {
      prompt,
      query,
      earlier,
      pair,
      seed,
      effects,
      items,
      remember,
      historyItemsDropped,
      warnings:
        candidates > 0 && pair.historyItemsUsed === 0
          ? [...prompt.warnings, 'history: no item fits beside the query and the tokens of the answer']
          : prompt.warnings,
      task: {
        prompts: Array.from({ length: request.n }, (_, sample) => ({
          ...guided,
          sources,
          random: drawsOf(seed, REQUEST_EXAMPLE, sample),
        })),
        adapter: prompt.adapter?.adapter,
        options: {
          ...samplingOf(request),
          maxNewTokens,
          copyPenalty: DEFAULT_COPY_PENALTY,
          ...(request.logprobs && { logProbs: request.top_logprobs ?? 0 }),
        },
      },
    };
  } catch (error) {
    prompt.release();
    throw error;
  }
}

/** How tokens are drawn, in the engine's words. */
export function samplingOf(
  request: Pick<ChatRequest, 'temperature' | 'top_p' | 'top_k' | 'min_p' | 'repetition_penalty' | 'stop'>,
) {
  const { stop } = request;
  return {
    temperature: request.temperature,
    topP: request.top_p,
    // vLLM's −1 means all, as 0 does.
    topK: Math.max(0, request.top_k),
    minP: request.min_p,
    repetitionPenalty: request.repetition_penalty,
    ...(stop !== undefined && { stop: typeof stop === 'string' ? [stop] : stop }),
  };
}

function conversation({ messages }: ChatRequest): { query: string; earlier: ChatMessage[] } {
  const turns = messages.map(({ role, content }) => ({
    role: role === 'developer' ? ('system' as const) : role,
    content: typeof content === 'string' ? content : content.map(({ text }) => text).join(''),
  }));
  const last = turns.pop()!;
  if (last.role !== 'user')
    throw invalid('messages', "a user's message at the end", `one of the role ${last.role}`, {
      hint: 'End with what the user asks.',
    });
  return { query: last.content, earlier: turns };
}

function oneUser({ user, nextquill }: ChatRequest): string | undefined {
  const named = nextquill?.user;
  if (user !== undefined && named !== undefined && user !== named)
    throw invalid('user', 'the user of nextquill.user', 'another', { hint: 'Name the user once.' });
  return named ?? user;
}

function newTokens({ max_completion_tokens, max_tokens }: ChatRequest, most: number): number {
  if (max_tokens === 0) throw invalid('max_tokens', 'a whole number of at least 1', '0');
  const wanted = max_completion_tokens ?? max_tokens;
  if (wanted === undefined) return Math.min(DEFAULT_NEW_TOKENS, most);
  if (wanted > most)
    throw invalid(
      max_completion_tokens === undefined ? 'max_tokens' : 'max_completion_tokens',
      `at most ${most}`,
      String(wanted),
    );
  return wanted;
}
