/** @file The tiny random Llama of the goldens as an opened model, and prompt pairs of random token ids for it. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { canonicalJson, sha256 } from '../../src/base/hash.ts';
import { randomStream } from '../../src/base/random.ts';
import type { Model } from '../../src/engine/models/model.ts';
import { architectureOf, parseDecoderConfig } from '../../src/engine/models/registry.ts';
import type { Tokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { weightsFingerprint } from '../../src/engine/weights/fingerprint.ts';
import { openSafetensors } from '../../src/engine/weights/safetensors.ts';
import type { PromptPair } from '../../src/method/prompts/pair.ts';

/** A tokenizer for tests that hand over ids: it only says how to pad. */
const idsOnly = { vocabularySize: 61, hash: 'ids-only', padId: 0, endOfTurnId: 2 } as Tokenizer;

/** Opens a golden model that has no tokenizer beside it. */
export async function tinyModel(name = 'tiny-llama', tokenizer: Tokenizer = idsOnly): Promise<Model> {
  const folder = resolve(import.meta.dirname, '../golden', name);
  const json = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
  const config = parseDecoderConfig(json, folder);
  const weights = await openSafetensors(join(folder, 'model.safetensors'));
  const architecture = architectureOf(config);
  const hash = sha256(canonicalJson([json, await weightsFingerprint(weights, folder), tokenizer.hash]));
  return {
    folder,
    config,
    architecture,
    parameters: architecture.parameters(config),
    tokenizer,
    weights,
    hash,
  };
}

/** A golden model whose tokens are spelled by letters, and end nothing but for `endIds`. */
export async function letteredModel(name: string, endIds: readonly number[] = []): Promise<Model> {
  const decode = (ids: readonly number[]) => ids.map((id) => String.fromCodePoint(0x4e00 + id)).join('');
  const model = await tinyModel(name);
  return {
    ...model,
    tokenizer: {
      ...model.tokenizer,
      endIds,
      decode,
      tokenBytes: (id: number) => new TextEncoder().encode(decode([id])),
      isSpecial: () => false,
      vocabularySize: model.config.vocabularySize,
    },
  };
}

/** Pairs of random ids and lengths; every fourth has no history. */
export function randomPairs(count: number, seed = 0): PromptPair[] {
  const random = randomStream(seed, 'tests/pairs');
  const ids = (least: number, most: number) =>
    Array.from({ length: least + random.integer(most - least + 1) }, () => 3 + random.integer(58));
  return Array.from({ length: count }, (_, index) => {
    const hasHistory = index % 4 !== 3;
    const query = ids(2, 4);
    const response = ids(1, 6);
    return {
      withHistoryIds: hasHistory ? [...ids(3, 9), ...query] : query,
      withoutHistoryIds: query,
      responseIds: [...response, 2],
      responseStarts: [...response.keys(), response.length],
      responseEnds: [...response.map((_, i) => i + 1), response.length],
      historyItemsUsed: hasHistory ? 1 : 0,
      hasHistory,
    };
  });
}

/** The pairs with every second response token in a copied run: what the default objective asks of pairs. */
export const withCopied = (pairs: readonly PromptPair[]): PromptPair[] =>
  pairs.map((pair) => ({ ...pair, copied: pair.responseIds.map((_, t) => t % 2 === 0) }));
