/**
 * @file Doubles of servers on loopback, over real HTTP: what they answer is made up, as the tests that use them say. Numbers come
 * from a function of the tokens before, so that they are those of a causal model.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sha256 } from '../../src/base/hash.ts';

/** log p of each token of a prompt; of the first one null. */
export type DoubleScores = (ids: readonly number[]) => Promise<(number | null)[]>;

/** The likeliest tokens in the place of a written one: the written one among others that share half of what it leaves. */
export function madeUpList(
  count: number,
  id: number,
  logProb: number,
): { readonly id: number; readonly logprob: number }[] {
  const other = Math.log((1 - Math.exp(logProb)) / (2 * count));
  // Tokens of one text each, as echo tells them apart; 1999 stands in for the written one.
  const idOf = (i: number) => 400 + ((id + 7 * i) % 1000);
  return Array.from({ length: count }, (_, i) =>
    i === 0 ? { id, logprob: logProb } : { id: idOf(i) === id ? 1999 : idOf(i), logprob: other - i / 100 },
  );
}

/** A request that a double was sent. */
export interface DoubleRequest {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: IncomingMessage['headers'];
}

export type DoubleHandler = (request: DoubleRequest, response: ServerResponse) => Promise<unknown> | unknown;

export interface Double extends AsyncDisposable {
  readonly url: string;
  readonly requests: DoubleRequest[];
}

/** Starts a double; what the handler returns is sent as JSON, unless it has answered itself. */
export async function startDouble(handle: DoubleHandler): Promise<Double> {
  const requests: DoubleRequest[] = [];
  const server = createServer(async (incoming, response) => {
    let text = '';
    for await (const chunk of incoming) text += chunk;
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    const request = { path: incoming.url!, body, headers: incoming.headers };
    requests.push(request);
    const answer = await handle(request, response);
    if (response.writableEnded || response.destroyed || answer === undefined) return;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer));
  });
  // Tests that compute for long must not find their connection closed.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** A number for each token that depends on all before it, and on nothing after. */
export const madeUpScores: DoubleScores = async (ids) =>
  ids.map((_, t) =>
    t === 0
      ? null
      : -0.5 - (Number.parseInt(sha256(ids.slice(0, t + 1).join()).slice(0, 6), 16) % 5000) / 1000,
  );

/** Answers with the error object of OpenAI. */
export function refuse(
  response: ServerResponse,
  status: number,
  message: string,
  headers: Record<string, string> = {},
) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ error: { message, type: 'x', param: null, code: null } }));
}

/**
 * What an honest server of a kind answers; hostile doubles change it.
 * @param lists whether it gives the likeliest tokens where it is asked: those of {@link madeUpList}
 */
export function honest(
  kind: string,
  scores: DoubleScores,
  textOf: (id: number) => string,
  { lists = true }: { readonly lists?: boolean } = {},
): DoubleHandler {
  const listed = (count: unknown, id: number, logprob: number | null | undefined) =>
    lists && typeof logprob === 'number' && Number(count) > 0 ? madeUpList(Number(count), id, logprob) : [];
  const owners: Record<string, string> = {
    vllm: 'vllm',
    sglang: 'sglang',
    'llama.cpp': 'llamacpp',
    openai: 'system',
  };
  return async ({ path, body }, response) => {
    if (path === '/v1/models')
      return {
        object: 'list',
        data: [{ id: 'm', object: 'model', owned_by: owners[kind], max_model_len: 513 }],
      };
    const ids = (body.prompt ?? body.input_ids) as number[];
    if (ids !== undefined && ids.length > 512)
      return refuse(response, 400, 'maximum context length is 512 tokens');
    if (path === '/v1/completions' && kind === 'vllm') {
      const values = await scores(ids);
      const entries = values.map((logprob, t) =>
        t === 0
          ? null
          : {
              ...Object.fromEntries(
                listed(body.prompt_logprobs, ids[t]!, logprob).map((each) => [
                  each.id,
                  { logprob: each.logprob, rank: 1, decoded_token: textOf(each.id) },
                ]),
              ),
              [ids[t]!]: { logprob, rank: 2, decoded_token: textOf(ids[t]!) },
            },
      );
      return { model: 'm', choices: [{ index: 0, text: 'x', prompt_logprobs: entries }] };
    }
    if (path === '/v1/completions' && (kind === 'openai' || kind === 'sglang')) {
      const values = await scores(ids);
      const logprobs = {
        tokens: [...ids.map(textOf), 'x'],
        token_logprobs: [...values, -1],
        top_logprobs: [
          ...values.map((value, t) =>
            t === 0
              ? null
              : Object.fromEntries(
                  listed(body.logprobs, ids[t]!, value).map((each) => [textOf(each.id), each.logprob]),
                ),
          ),
          { x: -1 },
        ],
      };
      return { choices: [{ index: 0, text: 'x', logprobs }], system_fingerprint: 'fp_1' };
    }
    if (path === '/generate' && kind === 'sglang') {
      const start = body.logprob_start_len as number;
      const values = (await scores(ids)).slice(start);
      return {
        meta_info: {
          input_token_logprobs: values.map((v, t) => [t === 0 ? null : v, ids[start + t], null]),
          input_top_logprobs: values.map((v, t) =>
            t === 0
              ? null
              : listed(body.top_logprobs_num, ids[start + t]!, v).map(({ id, logprob }) => [
                  logprob,
                  id,
                  null,
                ]),
          ),
        },
      };
    }
    if (path === '/completion' && kind === 'llama.cpp') {
      const grammar = [...String(body.grammar ?? '').matchAll(/<\[(\d+)\]>/g)].map(([, id]) => Number(id));
      const prompt = body.prompt as number[];
      if (grammar.length > 0) {
        const values = (await scores([...prompt, ...grammar])).slice(prompt.length);
        return {
          completion_probabilities: grammar.map((id, t) => ({
            id,
            token: textOf(id),
            logprob: values[t],
            top_logprobs: listed(body.n_probs, id, values[t]),
          })),
        };
      }
      const end = body.end as number;
      const [value] = (await scores([...prompt, end])).slice(-1);
      return {
        completion_probabilities: [
          {
            id: 5,
            logprob: -1,
            top_logprobs: lists ? madeUpList(1000, end, value!) : [{ id: end, logprob: value }],
          },
        ],
      };
    }
    return refuse(response, 400, 'Only no echo is supported');
  };
}
