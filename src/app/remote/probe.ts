/**
 * @file What a server really returns, found out before any work: which model it has, in which way it gives log-probabilities of a
 * prompt, whether they are of our tokens, in our order, the same twice, and for prompts as long as they will be.
 */
import { ConfigError, NextQuillError, nearestName } from '../../base/errors.ts';
import { largest } from '../../base/largest.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { RemoteAddress } from './address.ts';
import type { RemoteRequests } from './requests.ts';
import { type PromptScores, type RemoteModel, type WayName, WayRefused, ways } from './ways.ts';

/** Servers by what they are; `auto` finds out. */
export const remoteKinds = ['nextquill', 'vllm', 'sglang', 'llama.cpp', 'tgi', 'openai'] as const;
export type RemoteKind = (typeof remoteKinds)[number];

/** Ways of a kind, in the order in which they are tried. */
const waysOf: Readonly<Record<RemoteKind, readonly WayName[]>> = {
  nextquill: ['prompt_logprobs', 'echo'],
  vllm: ['prompt_logprobs', 'echo'],
  sglang: ['generate', 'echo'],
  // llama-cpp-python's server has echo.
  'llama.cpp': ['echo', 'forced'],
  tgi: ['prefill'],
  openai: ['echo'],
};

/** What a user can do where no way works. */
const hints: Readonly<Record<RemoteKind, string>> = {
  nextquill: 'Update the server: its /v1/completions gives prompt_logprobs.',
  vllm: 'Start vLLM without --max-logprobs 0 and with the API of /v1/completions.',
  sglang: 'Check that /generate of SGLang can be reached beside /v1.',
  'llama.cpp':
    'Use a llama-server with grammars of token ids (December 2025 or later) and without speculative decoding, or llama-cpp-python with logits_all, or open the GGUF file here.',
  tgi: 'Start TGI with --enable-prefill-logprobs.',
  openai: 'OpenAI and servers like it give no log-probabilities of prompts: open the weights here.',
};

/** One thing that the probe looked at. */
export interface ProbeCheck {
  readonly name: 'model' | 'log-probabilities' | 'tokens' | 'repeats' | 'order' | 'length';
  readonly passed: boolean;
  /** What was found, in words. */
  readonly found: string;
}

export interface Probe {
  readonly kind: RemoteKind;
  /** The server's name of the model. */
  readonly model: string;
  readonly way: WayName;
  /** Tokens of prompt and response at most, where the server says. */
  readonly maxTokens?: number;
  readonly fingerprint?: string;
  /** Likeliest tokens that come with each token of a prompt; 0 where none do. */
  readonly likeliest: number;
  /** Largest difference between two answers to one prompt, nats. */
  readonly repeats: number;
  readonly checks: readonly ProbeCheck[];
}

export interface ProbeOptions {
  readonly kind?: RemoteKind | 'auto';
  /** The server's name of the model; its only one by default. */
  readonly model?: string;
  /** Likeliest tokens that are asked for in each place, where they are of use; 0 for none, 20 by default. */
  readonly likeliest?: number;
}

/** What vLLM allows by default, and our own server at most. */
const LIKELIEST = 20;

/** What OpenAI's older completions allow. */
const FEWER_LIKELIEST = 5;

/** A model that a server lists. */
interface Listed {
  readonly id: string;
  readonly owner?: string;
  readonly parent?: string;
  readonly maxTokens?: number;
}

/** A server with the model that is asked for. */
export interface ListedModel {
  readonly kind: RemoteKind;
  readonly model: string;
  readonly maxTokens?: number;
}

/**
 * The model that is to be used. Servers without a list, such as TGI, must be named by their kind.
 * @throws {ConfigError} `remote/no-model` for none, several or an unknown one
 */
export async function listedModel(
  address: RemoteAddress,
  requests: RemoteRequests,
  { kind = 'auto', model }: ProbeOptions,
): Promise<ListedModel> {
  const answer = await requests.ask(`${address.api}/models`);
  const { data } = ((answer.isRefused ? undefined : answer.json) ?? {}) as { data?: unknown };
  const listed = Array.isArray(data) ? data.flatMap(listedOf) : [];
  // Adapters stand beside their base.
  const bases = listed.filter(({ parent }) => parent === undefined);
  const found =
    model === undefined ? (bases.length === 1 ? bases[0] : undefined) : listed.find(({ id }) => id === model);
  const known = kind === 'auto' ? kindOf(found?.owner) : kind;
  if (found === undefined && known === 'tgi' && listed.length === 0)
    return { kind: known, model: model ?? 'tgi' };
  if (found === undefined) {
    const ids = listed.map(({ id }) => id);
    const near = model === undefined ? undefined : nearestName(model, ids);
    throw new ConfigError(
      `${address.api}/models: expected ${model === undefined ? 'one model' : `the model ${JSON.stringify(model)}`}, got ${ids.slice(0, 8).join(', ') || 'none'}`,
      {
        code: 'remote/no-model',
        hint:
          near === undefined
            ? 'Choose one by --remote-model, or correct the address.'
            : `Did you mean "${near}"?`,
      },
    );
  }
  return {
    kind: known,
    model: found.id,
    ...(found.maxTokens !== undefined && { maxTokens: found.maxTokens }),
  };
}

function listedOf(entry: unknown): Listed[] {
  const { id, owned_by: owner, parent, max_model_len: length } = (entry ?? {}) as Record<string, unknown>;
  if (typeof id !== 'string') return [];
  return [
    {
      id,
      ...(typeof owner === 'string' && { owner }),
      ...(typeof parent === 'string' && { parent }),
      ...(typeof length === 'number' && Number.isInteger(length) && { maxTokens: length }),
    },
  ];
}

function kindOf(owner = ''): RemoteKind {
  const known: Readonly<Record<string, RemoteKind>> = {
    nextquill: 'nextquill',
    vllm: 'vllm',
    sglang: 'sglang',
    llamacpp: 'llama.cpp',
    'llama.cpp': 'llama.cpp',
    // llama-cpp-python calls its owner so.
    me: 'llama.cpp',
  };
  return known[owner] ?? 'openai';
}

const PROBE_TEXT =
  'What a person wrote before says something of what the same person will write next: some words are likelier then, and others are not.';

/** Tokens of the prompt that is looked at token by token. */
const PROBE_TOKENS = 20;

/** Differences that a change of the last token alone may make before it: kernels of servers depend on the batch. */
const ORDER_TOLERANCE = 0.25;

/**
 * Probes a server.
 * @param asked.length tokens of prompt and response that will be asked for at most
 * @param asked.likeliest as of {@link ProbeOptions}
 * @throws {ConfigError} `remote/no-log-probabilities`, `remote/tokens`, `remote/order`, `remote/length`: what was expected and got
 */
export async function probe(
  server: RemoteModel,
  { kind, model, maxTokens }: ListedModel,
  {
    length,
    likeliest: most = LIKELIEST,
  }: { readonly length: number; readonly likeliest?: number | undefined },
  onCheck: (check: ProbeCheck) => void = () => {},
): Promise<Probe> {
  const { tokenizer, address } = server;
  const checks: ProbeCheck[] = [];
  const check = (name: ProbeCheck['name'], passed: boolean, found: string, hint = '') => {
    const made = { name, passed, found };
    checks.push(made);
    onCheck(made);
    if (passed) return;
    throw new ConfigError(`${address.root}: ${expectations[name]}, got ${found}`, {
      code: `remote/${name}`,
      hint,
    });
  };
  check('model', true, `${model}, by a server of the kind ${kind}`);

  const ids = probeIds(tokenizer, PROBE_TOKENS);
  const { way, scores, likeliest } = await firstWay(server, kind, ids, most, (found) =>
    check('log-probabilities', false, found, hints[kind]),
  );
  const lists = likeliest === 0 ? 'no likeliest ones' : `the ${likeliest} likeliest ones in each place`;
  check('log-probabilities', true, `one for each of ${ids.length - 1} tokens, by ${way}; ${lists}`);

  const wrong = otherText(scores, ids, tokenizer);
  check(
    'tokens',
    wrong === undefined,
    wrong ?? 'the server has the same texts for our ids',
    'Name the tokenizer of the server’s model by --tokenizer.',
  );

  const again = await ways[way](server, ids, 1, 0);
  const repeats = largest(scores.values.map((value, t) => Math.abs(value - again.values[t]!)));
  check('repeats', true, `the same prompt twice differs by at most ${repeats.toExponential(1)} nats`);

  const order = await orderFault(server, way, ids, scores);
  check(
    'order',
    order === undefined,
    order ?? 'a token changes its own number and none before it',
    'Report this to the makers of the server: its numbers belong to other tokens.',
  );

  const long = Array.from({ length }, (_, i) => ids[i % ids.length]!);
  const tooLong = await refusalOf(() => ways[way](server, long, length - 1, likeliest));
  check(
    'length',
    tooLong === undefined,
    tooLong ?? `prompts of ${length} tokens are answered`,
    `Lower --max-tokens${likeliest > 0 ? ' or --remote-likeliest' : ''}, or start the server with a longer context.`,
  );
  const fingerprint = scores.fingerprint;
  return {
    kind,
    model,
    way,
    ...(maxTokens !== undefined && { maxTokens }),
    ...(fingerprint !== undefined && { fingerprint }),
    likeliest,
    repeats,
    checks,
  };
}

const expectations: Readonly<Record<ProbeCheck['name'], string>> = {
  model: 'expected a model',
  'log-probabilities': 'expected the log-probability of every token of a prompt',
  tokens: 'expected the tokens of our tokenizer',
  repeats: 'expected the same answer twice',
  order: 'expected each log-probability at its own token',
  length: 'expected an answer to a prompt as long as the examples may be',
};

function probeIds(tokenizer: Tokenizer, count: number): number[] {
  const begin = tokenizer.beginId === undefined ? [] : [tokenizer.beginId];
  return [...begin, ...tokenizer.encode(PROBE_TEXT).ids].slice(0, count);
}

interface FoundWay {
  readonly way: WayName;
  readonly scores: PromptScores;
  readonly likeliest: number;
}

/**
 * The first way of a kind that gives numbers, with as many of the likeliest tokens as come with every token.
 * @param most of these at most
 * @param onNone told what each way answered
 */
async function firstWay(
  server: RemoteModel,
  kind: RemoteKind,
  ids: readonly number[],
  most: number,
  onNone: (found: string) => void,
): Promise<FoundWay> {
  const tried: string[] = [];
  for (const way of waysOf[kind]) {
    const fewer = [LIKELIEST, FEWER_LIKELIEST].map((count) => Math.min(most, count));
    const counts = way === 'prefill' ? [0] : [most, ...fewer, 0];
    let refusal = '';
    for (const likeliest of new Set(counts)) {
      try {
        const scores = await ways[way](server, ids, 1, likeliest);
        const isGiven = scores.likeliest?.every((list) => list !== undefined) ?? false;
        if (likeliest === 0 || isGiven) return { way, scores, likeliest };
      } catch (error) {
        if (!(error instanceof WayRefused)) throw error;
        refusal = error.message;
      }
    }
    tried.push(`${way}: ${refusal}`);
  }
  onNone(tried.join('; '));
  throw new TypeError('expected onNone to throw');
}

/** Where the server has another text for an id of ours; half characters and white space differ by habit. */
function otherText(
  { texts }: PromptScores,
  ids: readonly number[],
  tokenizer: Tokenizer,
): string | undefined {
  const plain = (text: string) => text.replace(/[\sĠ▁]/g, '');
  for (const [t, text] of (texts ?? []).entries()) {
    const own = tokenizer.tokenText(ids[t + 1]!);
    if (text === undefined || text.startsWith('token_id:') || /\uFFFD/.test(text + own)) continue;
    if (plain(text) !== plain(own))
      return `${JSON.stringify(text)} for ${JSON.stringify(own)} (token ${ids[t + 1]})`;
  }
  return undefined;
}

/** A causal model's numbers do not depend on what comes later, and do on the token itself. */
async function orderFault(
  server: RemoteModel,
  way: WayName,
  ids: readonly number[],
  before: PromptScores,
): Promise<string | undefined> {
  const last = ids.at(-1)!;
  const other = [...ids.slice(0, -1), ids.find((id) => id !== last && id !== ids[0]) ?? last];
  const after = await ways[way](server, other, 1, 0);
  const moved = before.values.map((value, t) => Math.abs(value - after.values[t]!));
  const earlier = moved.slice(0, -1).findIndex((difference) => difference > ORDER_TOLERANCE);
  if (earlier >= 0) return `another number at token ${earlier + 1} after a change of token ${ids.length - 1}`;
  if (moved.at(-1) === 0) return `the same number for two tokens at ${ids.length - 1}`;
  return undefined;
}

/** What a server says to a request that it does not answer with numbers. */
async function refusalOf(request: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await request();
    return undefined;
  } catch (error) {
    if (error instanceof WayRefused || (error instanceof NextQuillError && error.code === 'remote/failed'))
      return error.message;
    throw error;
  }
}
