/**
 * @file Writes a text for an example: with the history, without, or anywhere between and beyond by `strength`:
 * logits z_∅ + s · (z_h − z_∅), context-aware decoding (arXiv 2305.14739) with s = 1 + γ.
 */
import { ConfigError, throwIfAborted } from '../../base/errors.ts';
import { randomStream } from '../../base/random.ts';
import { createPasses, openSession, parameterSource } from '../../engine/models/pass.ts';
import type { Example, HistoryItem } from '../data/example.ts';
import type { ScoredModel } from '../effects/scorer.ts';
import { hiddenHistoryWarning, type PromptSettings, promptPair } from '../prompts/pair.ts';

export interface GenerationOptions {
  readonly prompt: PromptSettings;
  /** Whether the history is used at all; true by default. */
  readonly history?: boolean;
  /** Another user's items, for the reference value `placebo`. */
  readonly placebo?: readonly HistoryItem[];
  /** s: 0 as without history, 1 as trained (default), above 1 more of the user. */
  readonly strength?: number;
  /** Tokens at most, 200 by default; fewer where the model has no more positions. */
  readonly maxNewTokens?: number;
  /** 0 (default) takes the likeliest token. */
  readonly temperature?: number;
  /** Draws from the likeliest tokens that hold this share of the probability; 1 by default. */
  readonly topP?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** Told when no item of the history fits. */
  readonly onWarning?: (message: string) => void;
}

/** One generated token and the text that is complete with it (part of a character yields ''). */
export interface GeneratedToken {
  readonly token: number;
  readonly text: string;
}

/**
 * Tokens one by one, up to the end of turn.
 * Cost: each token runs the whole prompt again; a key/value cache is to come.
 * @throws {ConfigError} for numbers out of range
 */
export async function* generate(
  scored: ScoredModel,
  example: Example,
  options: GenerationOptions,
): AsyncGenerator<GeneratedToken> {
  const {
    history = true,
    strength = 1,
    maxNewTokens = 200,
    temperature = 0,
    topP = 1,
    seed = 0,
    threads,
    signal,
  } = options;
  requireRange('temperature', temperature, 0, 100);
  requireRange('topP', topP, 0, 1);
  requireRange('strength', strength, -100, 100);
  if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1)
    throw new ConfigError(`maxNewTokens: expected a whole number of at least 1, got ${maxNewTokens}`, {
      code: 'config/range',
    });
  const { model } = scored;
  const { config, tokenizer } = model;
  const { source, feeds } = parameterSource(scored);
  const passes = createPasses(model, source);
  await using session = await openSession(
    model,
    { logits: passes.logits('prompt', 'T') },
    threads === undefined ? {} : { threads },
  );
  const nextLogits = async (ids: readonly number[]): Promise<Float32Array> => {
    const prompt = {
      batch: 1,
      length: ids.length,
      tokenIds: BigInt64Array.from(ids, BigInt),
      positionIds: BigInt64Array.from(ids, (_, t) => BigInt(t)),
      attentionMask: new Float32Array(ids.length).fill(1),
      rows: BigInt64Array.of(BigInt(ids.length - 1)),
    };
    const { logits } = await session.run({ ...feeds, ...passes.feeds({ prompt }) });
    return logits!.data as Float32Array;
  };

  const pair = promptPair(
    { ...example, response: example.response || '?' },
    tokenizer,
    options.prompt,
    options.placebo === undefined ? {} : { placebo: options.placebo },
  );
  const warning = history ? hiddenHistoryWarning([example], [pair], options.prompt) : undefined;
  if (warning !== undefined) options.onWarning?.(warning);
  const random = randomStream(seed, `generation/${example.id}`);
  const generated: number[] = [];
  let written = '';
  const room = config.maxPositions - Math.max(pair.withHistoryIds.length, pair.withoutHistoryIds.length);
  for (let t = 0; t < Math.min(maxNewTokens, room); t++) {
    throwIfAborted(signal);
    const usesBoth = history && pair.hasHistory && strength !== 1;
    const first = history && strength !== 0 ? pair.withHistoryIds : pair.withoutHistoryIds;
    const logits = await nextLogits([...first, ...generated]);
    if (usesBoth && strength !== 0) {
      const without = await nextLogits([...pair.withoutHistoryIds, ...generated]);
      for (let v = 0; v < logits.length; v++) logits[v] = without[v]! + strength * (logits[v]! - without[v]!);
    }
    const token = sample(logits, tokenizer.vocabularySize, temperature, topP, random.next());
    if (tokenizer.endIds.includes(token)) return;
    generated.push(token);
    const text = tokenizer.decode(generated);
    // Bytes that end inside a character decode to U+FFFD: the character is written once it is whole.
    const complete = text.endsWith('\ufffd') ? written : text;
    yield { token, text: complete.slice(written.length) };
    written = complete;
  }
}

/** A token by inverse transform at `draw` in [0, 1), over the likeliest tokens that hold `topP`. */
function sample(
  logits: Float32Array,
  vocabulary: number,
  temperature: number,
  topP: number,
  draw: number,
): number {
  let best = 0;
  for (let v = 1; v < vocabulary; v++) if (logits[v]! > logits[best]!) best = v;
  if (temperature === 0) return best;
  const order = Array.from({ length: vocabulary }, (_, v) => v).sort(
    (a, b) => logits[b]! - logits[a]! || a - b,
  );
  const weights = order.map((v) => Math.exp((logits[v]! - logits[best]!) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let kept = 0;
  let mass = 0;
  while (kept < order.length && (kept === 0 || mass < topP * total)) mass += weights[kept++]!;
  let remaining = draw * mass;
  for (let i = 0; i < kept; i++) {
    remaining -= weights[i]!;
    if (remaining < 0) return order[i]!;
  }
  return order[kept - 1]!;
}

function requireRange(name: string, value: number, low: number, high: number): void {
  if (value >= low && value <= high) return;
  throw new ConfigError(`${name}: expected a number from ${low} to ${high}, got ${value}`, {
    code: 'config/range',
  });
}
