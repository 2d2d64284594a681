/**
 * @file The ways in which servers give log-probabilities of a prompt's tokens. Each is held to one number for each token: an answer
 * of another shape is refused, and silence is never a number.
 */
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { KnownTokens } from '../../method/effects/divergence-bound.ts';
import type { RemoteAddress } from './address.ts';
import { idsByText, isLogProbability, likeliestOf, spellsAlike } from './likeliest.ts';
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
  /** The likeliest tokens in the place of each, where asked for; undefined in a place where the server gives fewer, or others. */
  readonly likeliest?: readonly (KnownTokens | undefined)[];
  readonly fingerprint?: string;
}

/** An answer that a way cannot read: what was expected, and what came. */
export class WayRefused extends Error {}

/**
 * @param from at least 1: the first token has no log-probability
 * @param likeliest how many of the likeliest tokens are asked for in each place; 0 for none
 */
type Way = (
  server: RemoteModel,
  ids: readonly number[],
  from: number,
  likeliest: number,
) => Promise<PromptScores>;

export const ways: Readonly<Record<WayName, Way>> = {
  /** vLLM's, and ours. */
  prompt_logprobs: async (server, ids, from, likeliest) => {
    const { address, requests, model, generated } = server;
    const body = { model, prompt: ids, max_tokens: generated, temperature: 0, prompt_logprobs: likeliest };
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
    const values = found.map(({ logprob }, t) => finite(logprob, from + t));
    return {
      values,
      ...likeliestOf(ids.slice(from), values, leastOf(server, likeliest), (t) =>
        Object.entries(objectOf(entries[from + t])).map(([id, each]) => [Number(id), objectOf(each).logprob]),
      ),
      texts: found.map(({ decoded_token: text }) => textOrNone(text)),
      ...fingerprintOf(json),
    };
  },

  /** OpenAI's older completions: the prompt comes back with its numbers, and one token that is generated and dropped. */
  echo: async (server, ids, from, likeliest) => {
    const { address, requests, model, generated } = server;
    const logprobs = Math.max(1, likeliest);
    const body = { model, prompt: ids, max_tokens: generated, temperature: 0, echo: true, logprobs };
    const json = jsonOf(await requests.ask(`${address.api}/completions`, body));
    const { token_logprobs: entries, tokens, top_logprobs: tops } = (choiceOf(json).logprobs ?? {}) as Json;
    if (!Array.isArray(entries)) throw expected('logprobs.token_logprobs, a list', entries);
    // Servers that end at once have generated none.
    if (entries.length !== ids.length)
      checkLength('logprobs.token_logprobs', entries, ids.length + generated);
    if (entries[0] !== null) throw expected('null for the first token', entries[0]);
    const values = ids.slice(from).map((_, t) => finite(entries[from + t], from + t));
    // Lists name tokens by their texts, which must then be ours.
    const isSpelled = likeliest > 0 && spellsAlike(listOf(tokens), ids, server.tokenizer);
    const idOf = isSpelled ? idsByText(server.tokenizer) : undefined;
    return {
      values,
      ...likeliestOf(ids.slice(from), values, leastOf(server, isSpelled ? likeliest : 0), (t) =>
        Object.entries(objectOf(listOf(tops)[from + t])).map(([text, logprob]) => [
          text === listOf(tokens)[from + t] ? ids[from + t] : idOf?.get(text),
          logprob,
        ]),
      ),
      ...(Array.isArray(tokens) && { texts: tokens.slice(from, ids.length).map(textOrNone) }),
      ...fingerprintOf(json),
    };
  },

  /** SGLang's own; the entry at the place that one asks from is null. */
  generate: async (server, ids, from, likeliest) => {
    const { address, requests } = server;
    const start = from - 1;
    const json = jsonOf(
      await requests.ask(`${address.root}/generate`, {
        input_ids: ids,
        sampling_params: { max_new_tokens: 1, temperature: 0 },
        return_logprob: true,
        logprob_start_len: start,
        ...(likeliest > 0 && { top_logprobs_num: likeliest }),
      }),
    );
    const { input_token_logprobs: entries, input_top_logprobs: tops } = (json.meta_info ?? {}) as Json;
    if (!Array.isArray(entries)) throw expected('meta_info.input_token_logprobs, a list', entries);
    checkLength('meta_info.input_token_logprobs', entries, ids.length - start);
    const values = ids.slice(from).map((id, t) => {
      const [value, found] = (entries[t + 1] ?? []) as unknown[];
      if (found !== id) throw expected(`token ${id} at ${from + t}`, found);
      return finite(value, from + t);
    });
    return {
      values,
      ...likeliestOf(ids.slice(from), values, leastOf(server, likeliest), (t) =>
        listOf(listOf(tops)[t + 1]).map((each) => {
          const [logprob, id] = listOf(each);
          return [id, logprob];
        }),
      ),
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
  forced: async (server, ids, from, likeliest) => {
    const wanted = ids.slice(from);
    // The end of a turn ends the generation: it is asked for by itself.
    const ends = wanted.at(-1) === server.tokenizer.endOfTurnId;
    const body = ends ? wanted.slice(0, -1) : wanted;
    const found = body.length === 0 ? [] : await forcedValues(server, ids.slice(0, from), body, likeliest);
    if (ends) found.push(await endValue(server, ids.slice(0, -1)));
    const values = found.map(({ value }) => value);
    return {
      values,
      ...likeliestOf(wanted, values, leastOf(server, likeliest), (t) =>
        found[t]!.top.map(({ id, logprob }) => [id, logprob]),
      ),
    };
  },
};

async function forcedValues(
  { address, requests }: RemoteModel,
  prompt: readonly number[],
  ids: readonly number[],
  likeliest: number,
): Promise<ForcedToken[]> {
  const json = jsonOf(
    await requests.ask(`${address.root}/completion`, {
      prompt,
      grammar: `root ::= ${ids.map((id) => `<[${id}]>`).join(' ')}`,
      n_predict: ids.length,
      n_probs: Math.max(1, likeliest),
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
    return { value: finite(entry.logprob, t), top: listOf(entry.top_logprobs).map(objectOf) };
  });
}

/** A token that llama.cpp was made to generate, and the likeliest ones in its place. */
interface ForcedToken {
  readonly value: number;
  readonly top: readonly Json[];
}

/** Most likely tokens among which the end of a turn must be. */
const END_AMONG = 1000;

async function endValue(
  { address, requests, tokenizer }: RemoteModel,
  prompt: readonly number[],
): Promise<ForcedToken> {
  const json = jsonOf(
    await requests.ask(`${address.root}/completion`, {
      prompt,
      n_predict: 1,
      n_probs: END_AMONG,
      temperature: 0,
    }),
  );
  const [first] = listOf(json.completion_probabilities);
  const top = listOf(objectOf(first).top_logprobs).map(objectOf);
  const found = top.find(({ id }) => id === tokenizer.endOfTurnId);
  if (found === undefined)
    throw expected(`the end of a turn among the ${END_AMONG} likeliest tokens`, undefined);
  return { value: finite(found.logprob, prompt.length), top };
}

type Json = Readonly<Record<string, unknown>>;

/** A list, or one of nothing. */
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** An object, or one of nothing. */
const objectOf = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};

/** How many tokens a list must have. */
const leastOf = ({ tokenizer }: RemoteModel, likeliest: number) =>
  Math.min(likeliest, tokenizer.vocabularySize);

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
  if (isLogProbability(value)) return Math.min(0, value);
  throw expected(`a log-probability of at most 0 at ${place}`, value);
}

const textOrNone = (value: unknown) => (typeof value === 'string' ? value : undefined);

function fingerprintOf({ system_fingerprint: fingerprint }: Json): { fingerprint?: string } {
  return typeof fingerprint === 'string' && fingerprint !== '' ? { fingerprint } : {};
}

function expected(what: string, got: unknown): WayRefused {
  return new WayRefused(`expected ${what}, got ${JSON.stringify(got)?.slice(0, 80) ?? 'nothing'}`);
}
