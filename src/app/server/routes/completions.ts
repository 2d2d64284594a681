/** @file `POST /v1/completions`: raw prompts in, with echo and log-probabilities of prompts, as vLLM and OpenAI answer them. */
import { randomInt, randomUUID } from 'node:crypto';
import type { PromptScore } from '../../../engine/generate/prompt-scores.ts';
import type { BatchTask } from '../../../engine/generate/scheduler.ts';
import type { SequenceStep } from '../../../engine/generate/text-sequence.ts';
import { drawsOf } from '../../../method/generation/generate.ts';
import { invalid } from '../api-error.ts';
import { samplingOf } from '../chat.ts';
import type { LiveRequest } from '../context.ts';
import { type PromptPlan, planPrompt } from '../prompt-plan.ts';
import { type RouteRequest, route } from '../route.ts';
import { writtenAnswer } from '../streamed-answer.ts';
import { runText, type TextTimes } from '../text-run.ts';
import { type CompletionLogprobs, emptyLogprobs, finite, topByText } from '../token-json.ts';
import { checked, parseJson, readBytes } from '../wire/read-body.ts';
import { type CompletionRequest, completionRequest } from '../wire/text-requests.ts';

/** OpenAI's number for completions whose length is not asked for. */
const DEFAULT_TOKENS = 16;

export const completions = route({
  method: 'post',
  path: '/v1/completions',
  access: 'app',
  summary: 'Goes on from raw text or token ids; scores prompts with echo and logprobs, or prompt_logprobs',
  bodies: ['json'],
  body: completionRequest,
  handler: async (context) => {
    const { server, caller, request, signal, told } = context;
    const body = parseJson(await readBytes(request, server.settings.maxBody), 'body');
    refuseUser(body);
    const asked = checked(completionRequest, body, { nullIsAbsent: true });
    const prompts = promptsOf(context, asked);
    const plan = await planPrompt(server, caller, {
      model: asked.model,
      history: 'none',
      adapter: asked.nextquill?.adapter ?? 'auto',
    });
    told.model = plan.modelName;
    told.adapter = plan.adapter?.hash.slice(0, 8);
    const leave: (() => void)[] = [plan.release];
    const release = () => {
      for (const each of leave.splice(0)) each();
    };
    let live: LiveRequest;
    try {
      leave.push(server.perKey.enter(caller.id));
      // Each prompt waits for itself; the first tells whether any may.
      server.queue.check({ prompts: [{ ids: prompts[0]!, random: drawsOf(0, 'prompt/0', 0) }] });
      live = server.live.begin(undefined, signal, server.settings.requestTimeout);
    } catch (error) {
      release();
      throw error;
    }
    const answer = answerOf(context, asked, prompts, plan, live);
    return writtenAnswer(context, live, answer, { stream: asked.stream, release });
  },
});

function refuseUser(body: unknown): void {
  if (typeof body !== 'object' || body === null) return;
  const { user, nextquill } = body as { user?: unknown; nextquill?: { user?: unknown } | null };
  if ((user ?? nextquill?.user ?? undefined) === undefined) return;
  throw invalid('user', 'none with raw prompts', 'one', {
    code: 'unsupported_parameter',
    hint: 'Use /v1/chat/completions for the history of a user.',
  });
}

/** The prompts as token ids, and what is asked of them checked. */
function promptsOf({ server }: RouteRequest, asked: CompletionRequest): number[][] {
  const { tokenizer } = server.model;
  const { prompt, max_tokens = DEFAULT_TOKENS, echo, prompt_logprobs, stream, n } = asked;
  const scoresPrompt = prompt_logprobs !== undefined || (echo && asked.logprobs !== undefined);
  if (max_tokens > server.settings.maxNewTokens)
    throw invalid('max_tokens', `at most ${server.settings.maxNewTokens}`, String(max_tokens));
  if (max_tokens === 0 && !scoresPrompt && !echo)
    throw invalid('max_tokens', 'a whole number of at least 1 without echo or prompt_logprobs', '0');
  if (stream && scoresPrompt) throw invalid('stream', 'false with log-probabilities of the prompt', 'true');
  if (scoresPrompt && n > 1) throw invalid('n', '1 with log-probabilities of the prompt', String(n));
  const list =
    typeof prompt === 'string' || typeof prompt[0] === 'number'
      ? [prompt as string | number[]]
      : (prompt as (string | number[])[]);
  // Texts are data and spell no special token; ids may name any.
  const begin = tokenizer.beginId === undefined ? [] : [tokenizer.beginId];
  return list.map((each, i) => {
    const where = list.length === 1 ? 'prompt' : `prompt[${i}]`;
    const ids = typeof each === 'string' ? [...begin, ...tokenizer.encode(each).ids] : each;
    const unknown = ids.find((id) => id >= tokenizer.vocabularySize);
    if (unknown !== undefined)
      throw invalid(where, `token ids below ${tokenizer.vocabularySize}`, String(unknown));
    if (ids.length === 0) throw invalid(where, 'at least one token', 'none');
    return ids;
  });
}

interface Choice {
  readonly prompt: readonly number[];
  text: string;
  ids: number[];
  finish: 'stop' | 'length';
  logprobs: CompletionLogprobs;
  scores: readonly PromptScore[];
}

function answerOf(
  { server, caller, told }: RouteRequest,
  asked: CompletionRequest,
  prompts: readonly number[][],
  plan: PromptPlan,
  live: LiveRequest,
) {
  const { tokenizer } = server.model;
  const { n, echo, logprobs, prompt_logprobs, max_tokens = DEFAULT_TOKENS } = asked;
  const seed = asked.seed ?? server.seed ?? randomInt(2 ** 32);
  const scored = prompt_logprobs !== undefined || (echo && logprobs !== undefined);
  const times: TextTimes = { queueMs: 0, firstTokenMs: undefined };
  const choices: Choice[] = prompts.flatMap((prompt) =>
    Array.from({ length: n }, () => ({
      prompt,
      text: echo ? tokenizer.decode(prompt) : '',
      ids: [],
      finish: 'length' as const,
      logprobs: emptyLogprobs(),
      scores: [],
    })),
  );
  const head = {
    id: `cmpl-${randomUUID().replaceAll('-', '')}`,
    object: 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model: plan.modelName,
    system_fingerprint: plan.fingerprint,
  };
  const usage = () => {
    const prompt_tokens = prompts.reduce((sum, ids) => sum + ids.length, 0);
    const completion_tokens = choices.reduce((sum, { ids }) => sum + ids.length, 0);
    return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
  };
  const chunk = (index: number, text: string, finish: string | null, of: CompletionLogprobs | null) => ({
    ...head,
    choices: [{ index, text, logprobs: of, finish_reason: finish }],
    ...(asked.stream_options?.include_usage && { usage: null }),
  });
  const run = async (
    send: (data: unknown) => void = () => {},
    onFlow?: Parameters<typeof runText>[5],
  ): Promise<void> => {
    if (echo) for (const [index, { text }] of choices.entries()) send(chunk(index, text, null, null));
    const tasks = prompts.map((ids, p): BatchTask => {
      const first = p * n;
      return {
        prompts: Array.from({ length: n }, (_, sample) => ({
          ids,
          random: drawsOf(seed, `prompt/${p}`, sample),
        })),
        adapter: plan.adapter?.adapter,
        ...(max_tokens > 0 && {
          options: {
            ...samplingOf(asked),
            maxNewTokens: max_tokens,
            ...(logprobs !== undefined && { logProbs: logprobs }),
          },
        }),
        ...(scored && { promptLogProbs: Math.max(prompt_logprobs ?? 0, echo ? (logprobs ?? 0) : 0) }),
        onPromptScores: (scores) => {
          const choice = choices[first]!;
          choice.scores = scores;
          if (echo && logprobs !== undefined) echoScores(choice, logprobs);
        },
        onStep: (sample, step) => {
          const choice = choices[first + sample]!;
          const told = logprobs === undefined ? null : pushStep(choice, step, choice.text.length);
          const isEnd = step.finish === 'end-of-turn';
          choice.ids.push(step.token);
          choice.text += step.text;
          if (step.finish !== undefined) choice.finish = step.finish === 'length' ? 'length' : 'stop';
          if (step.text !== '' || (told !== null && !isEnd))
            send(chunk(first + sample, step.text, null, told));
          if (step.finish !== undefined) send(chunk(first + sample, '', choice.finish, null));
        },
      };
    });
    await Promise.all(tasks.map((task) => runText(server, live, caller.id, task, times, onFlow)));
    const counted = usage();
    Object.assign(told, {
      promptTokens: counted.prompt_tokens,
      completionTokens: counted.completion_tokens,
      ...times,
    });
    server.metrics.tokens('prompt', counted.prompt_tokens);
    server.metrics.tokens('completion', counted.completion_tokens);
    server.rates.spend(caller.id, counted.total_tokens);
    if (asked.stream_options?.include_usage) send({ ...head, choices: [], usage: counted });
  };
  /** The tokens of the prompt before those of the text. */
  const echoScores = ({ prompt, scores, logprobs: of }: Choice, top: number) => {
    let offset = 0;
    for (const [t, id] of prompt.entries()) {
      const score = scores[t - 1];
      of.tokens.push(tokenizer.tokenText(id));
      of.token_logprobs.push(score === undefined ? null : finite(score.logProb));
      of.top_logprobs.push(score === undefined ? null : topByText(score, score.top.slice(0, top), tokenizer));
      of.text_offset.push(offset);
      offset += tokenizer.tokenText(id).length;
    }
  };
  const pushStep = (
    { logprobs: of }: Choice,
    step: SequenceStep,
    offset: number,
  ): CompletionLogprobs | null => {
    if (step.finish === 'end-of-turn') return null;
    const { logProb, top } = step.logProbs!;
    const own = {
      tokens: [tokenizer.tokenText(step.token)],
      token_logprobs: [finite(logProb)],
      top_logprobs: [topByText({ token: step.token, logProb }, top, tokenizer)],
      text_offset: [offset],
    };
    of.tokens.push(...own.tokens);
    of.token_logprobs.push(...own.token_logprobs);
    of.top_logprobs.push(...own.top_logprobs);
    of.text_offset.push(...own.text_offset);
    return own;
  };
  return {
    run,
    whole: () => ({
      ...head,
      choices: choices.map(({ text, finish, logprobs: of, prompt, ids, scores }, index) => ({
        index,
        text,
        logprobs: logprobs === undefined ? null : of,
        finish_reason: finish,
        ...(prompt_logprobs !== undefined && {
          prompt_logprobs: vllmScores(scores, prompt_logprobs, tokenizer.tokenText),
        }),
        ...(asked.return_token_ids && { prompt_token_ids: prompt, token_ids: ids }),
      })),
      usage: usage(),
    }),
  };
}

/** vLLM's shape: for each token the likeliest ones and itself, by id; null for the first. */
function vllmScores(
  scores: readonly PromptScore[],
  top: number,
  spell: (id: number) => string,
): (object | null)[] {
  return [
    null,
    ...scores.map((score) =>
      Object.fromEntries(
        [...score.top.slice(0, top).map((each, i) => ({ ...each, rank: i + 1 })), score].map(
          ({ token, logProb, rank }) => [
            String(token),
            { logprob: finite(logProb), rank, decoded_token: spell(token) },
          ],
        ),
      ),
    ),
  ];
}
