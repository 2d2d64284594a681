/** @file A server's model opened for scoring: probed, with a tokenizer that is here, and with all that needs weights refused. */
import { join } from 'node:path';
import { defaultCacheFolder } from '../../base/cache-folder.ts';
import { ConfigError, EngineError, throwIfAborted } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import { parseJsonObject, readIfThere } from '../../base/json-file.ts';
import { largest } from '../../base/largest.ts';
import { quantile } from '../../base/statistics/estimate.ts';
import type { DecoderConfig } from '../../engine/models/hf-config.ts';
import type { Model } from '../../engine/models/model.ts';
import { loadTokenizer, type Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { ScoredPrompt } from '../../method/prompts/collate.ts';
import { defaultPromptSettings, type PromptSettings } from '../../method/prompts/pair.ts';
import type { RemotePasses, RemoteRecord, RemoteScores } from '../../method/scoring/remote-passes.ts';
import { modelFolderOf, type OpenModelOptions } from '../open/model-source.ts';
import type { OpenedModel } from '../open/scored-model.ts';
import { needsWeights, remoteAddress } from './address.ts';
import { listedModel, type Probe, type ProbeCheck, type ProbeOptions, probe } from './probe.ts';
import { type RequestOptions, remoteRequests } from './requests.ts';
import { type RemoteModel, WayRefused, ways } from './ways.ts';

/** How a server's model is opened. */
export interface RemoteOptions extends OpenModelOptions, ProbeOptions, Omit<RequestOptions, 'signal'> {
  /** Where the tokenizer of the server's model is: what `--model` takes otherwise. */
  readonly tokenizer?: string;
  /** The user's word that texts may leave this machine. */
  readonly sendTexts?: boolean;
  /** Requests at a time; 2 by default. */
  readonly concurrency?: number;
  /** How often each of the first prompts is asked for: their spread is the noise; 2 by default. */
  readonly repeat?: number;
  readonly prompt?: Partial<PromptSettings>;
  /** Told what the probe finds, as it finds it. */
  readonly onCheck?: (check: ProbeCheck) => void;
}

/** Prompts that are asked for more than once. */
const REPEATED = 4;

/** Positions of a model that nobody tells us: the probe tries them. */
const POSITIONS = 2048;

/**
 * Opens a server's model.
 * @throws {ConfigError} `remote/send-texts` without the word that texts may be sent, `remote/tokenizer` without a tokenizer, and what
 *   the probe does not find
 * @throws {EngineError} when the server cannot be reached
 */
export async function openRemote(
  source: string,
  options: RemoteOptions = {},
): Promise<OpenedModel & { readonly probe: Probe }> {
  const address = remoteAddress(source);
  if (!address.isLoopback && options.offline)
    throw new ConfigError(`--model: expected a server of this machine with --offline, got ${address.host}`, {
      code: 'remote/offline',
      hint: 'Leave --offline out.',
    });
  if (!address.isLoopback && !options.sendTexts)
    throw new ConfigError(
      `--model: expected --send-texts beside ${address.host}, got none: users’ texts would leave this machine`,
      { code: 'remote/send-texts', hint: 'Add --send-texts where that host may have the texts.' },
    );
  const { tokenizer: tokenizerSource, concurrency = 2, repeat = 2, signal } = options;
  const requests = remoteRequests(address, options);
  const listed = await listedModel(address, requests, options);
  if (tokenizerSource === undefined)
    throw new ConfigError(`--tokenizer: expected where the tokenizer of ${listed.model} is, got none`, {
      code: 'remote/tokenizer',
      hint: 'Name the folder, the .gguf file or the hub id of the model; prompts and offsets are made here.',
    });
  const folder = await modelFolderOf(tokenizerSource, options.cacheFolder ?? defaultCacheFolder(), options);
  const { positions, rows } = await configOf(folder);
  const tokenizer = await loadTokenizer(folder, rows);
  // Most servers want to generate one token, which is dropped; ours does not.
  const generated = listed.kind === 'nextquill' ? 0 : 1;
  const maxPositions = (listed.maxTokens ?? positions ?? POSITIONS) - generated;
  const prompt = { ...defaultPromptSettings(maxPositions), ...options.prompt };
  const server: RemoteModel = { address, requests, model: listed.model, tokenizer, generated };
  const found = await probe(
    server,
    listed,
    { length: prompt.maxTokens, likeliest: options.likeliest },
    options.onCheck,
  );
  const remote = passesOf(server, found, { concurrency, repeat });
  throwIfAborted(signal);
  return {
    model: modelWithoutWeights(address.api, tokenizer, { maxPositions, hash: sha256(remote.identity) }),
    name: `${found.model} at ${address.host}`,
    prompt,
    remote,
    probe: found,
  };
}

/** Positions and rows of the table of embeddings, where the folder says. */
async function configOf(
  folder: string,
): Promise<{ positions: number | undefined; rows: number | undefined }> {
  const text = await readIfThere(join(folder, 'config.json'));
  const config = text === undefined ? {} : parseJsonObject(join(folder, 'config.json'), text);
  const count = (value: unknown) =>
    Number.isInteger(value) && (value as number) > 0 ? (value as number) : undefined;
  return {
    positions: count(config.max_position_embeddings ?? config.n_positions),
    rows: count(config.vocab_size),
  };
}

function passesOf(
  server: RemoteModel,
  { kind, model, way, likeliest, fingerprint }: Probe,
  { concurrency, repeat }: { readonly concurrency: number; readonly repeat: number },
): RemotePasses {
  const { address, tokenizer } = server;
  const differences: number[] = [];
  let repeated = 0;
  const url = address.api;
  const record = (): RemoteRecord => ({
    ...{ url, kind, model, way, tokenizerHash: tokenizer.hash, likeliest },
    ...(fingerprint !== undefined && { fingerprint }),
    ...(differences.length > 0 && {
      noise: { max: largest(differences), p95: quantile(differences, 0.95) },
    }),
  });

  async function scoresOf({ promptIds, responseIds }: ScoredPrompt, most: number): Promise<RemoteScores> {
    const ids = [...promptIds, ...responseIds];
    const score = () => ways[way](server, ids, promptIds.length, most);
    try {
      const { values, likeliest: lists } = await score();
      const times = repeated < REPEATED ? repeat - 1 : 0;
      repeated += 1;
      for (let time = 0; time < times; time++)
        differences.push(...(await score()).values.map((value, t) => Math.abs(value - values[t]!)));
      return { logProbability: Float32Array.from(values), ...(lists && { likeliest: lists }) };
    } catch (error) {
      if (!(error instanceof WayRefused)) throw error;
      throw new EngineError(`${url}: prompt of ${ids.length} tokens: ${error.message}`, {
        code: 'remote/answer',
        hint: 'Look into the log of the server; what was scored is kept, and a second start continues.',
        cause: error,
      });
    }
  }

  return {
    identity: canonicalJson({
      url,
      kind,
      model,
      way,
      tokenizer: tokenizer.hash,
      fingerprint: fingerprint ?? null,
    }),
    record,
    likeliest,
    concurrency,
    scores: async function* (prompts, { likeliest: withLikeliest, signal }) {
      const length = (place: number) => prompts[place]!.promptIds.length + prompts[place]!.responseIds.length;
      const order = prompts.map((_, place) => place).sort((a, b) => length(a) - length(b) || a - b);
      for (let at = 0; at < order.length; at += concurrency) {
        throwIfAborted(signal);
        const places = order.slice(at, at + concurrency);
        const outcomes = await Promise.allSettled(
          places.map((place) => scoresOf(prompts[place]!, withLikeliest ? likeliest : 0)),
        );
        const done = outcomes.flatMap((outcome, i) =>
          outcome.status === 'fulfilled' ? [[places[i]!, outcome.value] as const] : [],
        );
        // What came is kept before a failure ends the work.
        if (done.length > 0) yield done;
        const failed = outcomes.find((outcome) => outcome.status === 'rejected');
        if (failed !== undefined) throw failed.reason;
      }
    },
  };
}

/** A model of which only the tokenizer is here; whoever reaches for the rest is told why it is not there. */
function modelWithoutWeights(
  folder: string,
  tokenizer: Tokenizer,
  { maxPositions, hash }: { readonly maxPositions: number; readonly hash: string },
): Model {
  const refuse = (): never => {
    throw needsWeights(folder);
  };
  const known: Readonly<Record<string, unknown>> = { maxPositions, vocabularySize: tokenizer.vocabularySize };
  const config = new Proxy(known, {
    get: (target, key) => (typeof key === 'string' && !(key in target) ? refuse() : target[key as string]),
  });
  return {
    folder,
    tokenizer,
    hash,
    config: config as unknown as DecoderConfig,
    get architecture() {
      return refuse();
    },
    get parameters() {
      return refuse();
    },
    get weights() {
      return refuse();
    },
  };
}
