/**
 * @file The ways in which servers give log-probabilities of a prompt's tokens. Each is held to one number for each token: an answer
 * of another shape is refused, and silence is never a number.
 */
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { RemoteAddress } from './address.ts';
import type { RemoteAnswer, RemoteRequests } from './requests.ts';

export type WayName = 'prompt_logprobs' | 'echo' | 'generate' | 'prefill' | 'forced';

/** A server and its model. */
export interface RemoteModel {
  readonly address: RemoteAddress;
  readonly requests: RemoteRequests;
  readonly model: string;
  readonly tokenizer: Tokenizer;
  /** Tokens that the server must generate beside what is asked for: most refuse to generate none. */
  readonly generated: 0 | 1;
}

/** Log-probabilities of the tokens from a place on. */
export interface PromptScores {
  /** Of `ids[from]`, `ids[from + 1]`, …; nats. */
  readonly values: readonly number[];
  /** Texts of the tokens from `from` on as the server has them, where it says. */
  readonly texts?: readonly (string | undefined)[];
  readonly fingerprint?: string;
}

/** An answer that a way cannot read: what was expected, and what came. */
export class WayRefused extends Error {}

/** @param from at least 1: the first token has no log-probability */
type Way = (server: RemoteModel, ids: readonly number[], from: number) => Promise<PromptScores>;

export const ways: Readonly<Record<WayName, Way>> = {
  /** vLLM's, and ours. */
  prompt_logprobs: async ({ address, requests, model, generated }, ids, from) => {
    const body = { model, prompt: ids, max_tokens: generated, temperature: 0, prompt_logprobs: 0 };
    const json = jsonOf(await requests.ask(`${address.api}/completions`, body));
    const choice = choiceOf(json);
    const entries = choice.prompt_logprobs ?? json.prompt_logprobs;
    if (!Array.isArray(entries)) throw expected('prompt_logprobs, a list', entries);
    checkLength('prompt_logprobs', entries, ids.length);
    if (entries[0] !== null && Object.keys(entries[0] as object).length > 0)
      throw expected('no entry for the first token', entries[0]);
    const found = ids.slice(from).map((id, t) => {
      const entry = (entries[from + t] ?? {}) as Readonly<Record<string, Json>>;
      if (entry[id] === undefined)
        throw expected(`an entry for token ${id} at ${from + t}`, entries[from + t]);
      return entry[id];
    });
    return {
      values: found.map(({ logprob }, t) => finite(logprob, from + t)),
      texts: found.map(({ decoded_token: text }) => textOrNone(text)),
      ...fingerprintOf(json),
    };
  },

  /** OpenAI's older completions: the prompt comes back with its numbers, and one token that is generated and dropped. */
  echo: async ({ address, requests, model, generated }, ids, from) => {
    const body = { model, prompt: ids, max_tokens: generated, temperature: 0, echo: true, logprobs: 1 };
    const json = jsonOf(await requests.ask(`${address.api}/completions`, body));
    const { token_logprobs: values, tokens } = (choiceOf(json).logprobs ?? {}) as Json;
    if (!Array.isArray(values)) throw expected('logprobs.token_logprobs, a list', values);
    // Servers that end at once have generated none.
    if (values.length !== ids.length) checkLength('logprobs.token_logprobs', values, ids.length + generated);
    if (values[0] !== null) throw expected('null for the first token', values[0]);
    return {
      values: ids.slice(from).map((_, t) => finite(values[from + t], from + t)),
      ...(Array.isArray(tokens) && { texts: tokens.slice(from, ids.length).map(textOrNone) }),
      ...fingerprintOf(json),
    };
  },

  /** SGLang's own; the entry at the place that one asks from is null. */
  generate: async ({ address, requests }, ids, from) => {
    const start = from - 1;
    const json = jsonOf(
      await requests.ask(`${address.root}/generate`, {
        input_ids: ids,
        sampling_params: { max_new_tokens: 1, temperature: 0 },
        return_logprob: true,
        logprob_start_len: start,
      }),
    );
    const entries = ((json.meta_info ?? {}) as Json).input_token_logprobs;
    if (!Array.isArray(entries)) throw expected('meta_info.input_token_logprobs, a list', entries);
    checkLength('meta_info.input_token_logprobs', entries, ids.length - start);
    return {
      values: ids.slice(from).map((id, t) => {
        const [value, found] = (entries[t + 1] ?? []) as unknown[];
        if (found !== id) throw expected(`token ${id} at ${from + t}`, found);
        return finite(value, from + t);
      }),
    };
  },

  /** TGI's: text in, so its tokens must be ours. */
  prefill: async ({ address, requests, tokenizer }, ids, from) => {
    const json = jsonOf(
      await requests.ask(`${address.root}/generate`, {
        inputs: tokenizer.decode(ids),
        parameters: { max_new_tokens: 1, details: true, decoder_input_details: true },
      }),
    );
    const entries = ((json.details ?? {}) as Json).prefill;
    if (!Array.isArray(entries)) throw expected('details.prefill, a list', entries);
    checkLength('details.prefill', entries, ids.length);
    return {
      values: ids.slice(from).map((id, t) => {
        const entry = (entries[from + t] ?? {}) as Json;
        if (entry.id !== id) throw expected(`token ${id} at ${from + t}`, entry.id);
        return finite(entry.logprob, from + t);
      }),
    };
  },

  /**
   * llama.cpp's server has no numbers of prompts, but of what it generates: a grammar of token ids makes it generate ours. The
   * log-probability is of the whole prediction, before sampling.
   */
  forced: async (server, ids, from) => {
    const wanted = ids.slice(from);
    // The end of a turn ends the generation: it is asked for by itself.
    const ends = wanted.at(-1) === server.tokenizer.endOfTurnId;
    const body = ends ? wanted.slice(0, -1) : wanted;
    const values = body.length === 0 ? [] : await forcedValues(server, ids.slice(0, from), body);
    return { values: ends ? [...values, await endValue(server, ids.slice(0, -1))] : values };
  },
};

async function forcedValues(
  { address, requests }: RemoteModel,
  prompt: readonly number[],
  ids: readonly number[],
): Promise<number[]> {
  const json = jsonOf(
    await requests.ask(`${address.root}/completion`, {
      prompt,
      grammar: `root ::= ${ids.map((id) => `<[${id}]>`).join(' ')}`,
      n_predict: ids.length,
      n_probs: 1,
      temperature: 0,
      return_tokens: true,
      cache_prompt: true,
    }),
  );
  const entries = json.completion_probabilities;
  if (!Array.isArray(entries)) throw expected('completion_probabilities, a list', entries);
  checkLength('completion_probabilities', entries, ids.length);
  return ids.map((id, t) => {
    const entry = (entries[t] ?? {}) as Json;
    if (entry.id !== id) throw expected(`token ${id} at ${t}`, entry.id);
    return finite(entry.logprob, t);
  });
}

/** Most likely tokens among which the end of a turn must be. */
const END_AMONG = 1000;

async function endValue(
  { address, requests, tokenizer }: RemoteModel,
  prompt: readonly number[],
): Promise<number> {
  const json = jsonOf(
    await requests.ask(`${address.root}/completion`, {
      prompt,
      n_predict: 1,
      n_probs: END_AMONG,
      temperature: 0,
    }),
  );
  const [first] = (json.completion_probabilities ?? []) as Json[];
  const top = (first?.top_logprobs ?? []) as Json[];
  const found = top.find(({ id }) => id === tokenizer.endOfTurnId);
  if (found === undefined)
    throw expected(`the end of a turn among the ${END_AMONG} likeliest tokens`, undefined);
  return finite(found.logprob, prompt.length);
}

type Json = Readonly<Record<string, unknown>>;

function jsonOf(answer: RemoteAnswer): Json {
  if (answer.isRefused) throw new WayRefused(`${answer.status}: ${answer.message}`);
  const { json } = answer;
  if (json === null || typeof json !== 'object' || Array.isArray(json)) throw expected('a JSON object', json);
  return json as Json;
}

function choiceOf({ choices }: Json): Json {
  const [choice] = Array.isArray(choices) ? (choices as Json[]) : [];
  if (choice === undefined) throw expected('choices, a list of one', choices);
  return choice;
}

function checkLength(name: string, entries: readonly unknown[], length: number): void {
  if (entries.length !== length)
    throw new WayRefused(`expected ${name} of ${length} entries, got ${entries.length}`);
}

/** A log-probability; one above 0 by rounding is 0. */
function finite(value: unknown, place: number): number {
  if (typeof value === 'number' && Number.isFinite(value) && value <= ROUNDING) return Math.min(0, value);
  throw expected(`a log-probability of at most 0 at ${place}`, value);
}

const ROUNDING = 1e-3;

const textOrNone = (value: unknown) => (typeof value === 'string' ? value : undefined);

function fingerprintOf({ system_fingerprint: fingerprint }: Json): { fingerprint?: string } {
  return typeof fingerprint === 'string' && fingerprint !== '' ? { fingerprint } : {};
}

function expected(what: string, got: unknown): WayRefused {
  return new WayRefused(`expected ${what}, got ${JSON.stringify(got)?.slice(0, 80) ?? 'nothing'}`);
}
