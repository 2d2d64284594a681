/**
 * @file BERTScore (arXiv 1904.09675) as the Python package bert-score 0.3 computes it without idf and without rescaling: each token of
 * a text is matched with the nearest token of the other, by the cosine of hidden states of one layer of an encoder.
 */
import { ConfigError, throwIfAborted } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { type Encoder, loadEncoder, type OpenedEncoder, openEncoder } from '../../engine/models/encoder.ts';
import type { BertScore, TextPair } from './metric.ts';

export interface BertScoreOptions {
  /** Of the encoder: model_type bert or roberta. */
  readonly folder: string;
  /** Whose hidden states are compared; for the layers of well-known models bert-score's choice by default. */
  readonly layer?: number | undefined;
  readonly threads?: number;
  readonly cacheFolder?: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/** The layer that bert-score chose on WMT16, by the type and the layers of the model: roberta-large, -base, distilroberta; bert-large, -base. */
const LAYERS: Readonly<Record<string, number>> = {
  'roberta 24': 17,
  'roberta 12': 10,
  'roberta 6': 5,
  'bert 24': 18,
  'bert 12': 9,
};

/** Pairs whose states are held at once: of 512 tokens and 1,024 numbers each, some 256 MB. */
const PAIRS_AT_ONCE = 64;

/** Padded tokens of one run at most. */
const TOKENS_OF_A_RUN = 4096;

/**
 * The scores of each pair, in their order; of several references the greatest of each number. An empty text has 0.
 * @throws {ConfigError} where no layer is named and the model is none that bert-score chose one for
 * @throws {WeightsError} for a folder that holds no encoder
 * Cost: one pass over each text; memory of the states of {@link PAIRS_AT_ONCE} pairs.
 */
export async function bertScores(
  pairs: readonly TextPair[],
  { folder, layer, threads, cacheFolder, signal, onProgress }: BertScoreOptions,
): Promise<BertScore[]> {
  const encoder = await loadEncoder(folder, cacheFolder);
  const { modelType, layers, hiddenSize } = encoder.config;
  const chosen = layer ?? LAYERS[`${modelType} ${layers}`];
  if (chosen === undefined)
    throw new ConfigError(`bertScore: expected the layer to compare, of 1 to ${layers}, got none`, {
      code: 'metrics/bert-layer',
      hint: 'Name it (--bertscore-layer): bert-score knows none for a model of so many layers.',
    });
  await using opened = await openEncoder(encoder, chosen, threads === undefined ? {} : { threads });
  const scores: BertScore[] = [];
  while (scores.length < pairs.length) {
    const some = pairs.slice(scores.length, scores.length + PAIRS_AT_ONCE);
    const states = await statesOf(some, encoder, opened, signal);
    for (const { prediction, references } of some) {
      const each = references.map((reference) =>
        bertScore(states.get(prediction.trim())!, states.get(reference.trim())!, hiddenSize),
      );
      const best = (of: (score: BertScore) => number) => Math.max(...each.map(of));
      scores.push({
        precision: best((score) => score.precision),
        recall: best((score) => score.recall),
        f1: best((score) => score.f1),
      });
    }
    onProgress?.({ stage: 'BERTScore', done: scores.length, total: pairs.length, unit: 'rows' });
  }
  return scores;
}

/** Unit rows f32[T, D] of each text of some pairs, by the text. */
async function statesOf(
  pairs: readonly TextPair[],
  { tokenizer, config }: Encoder,
  opened: OpenedEncoder,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Float32Array>> {
  const texts = new Set(
    pairs.flatMap(({ prediction, references }) => [prediction, ...references].map((text) => text.trim())),
  );
  const encoded = [...texts].map((text) => ({ text, ids: tokenizer.encode(text) }));
  encoded.sort((a, b) => b.ids.length - a.ids.length);
  const states = new Map<string, Float32Array>();
  for (let at = 0; at < encoded.length; ) {
    throwIfAborted(signal);
    // The first is the longest.
    const rows = Math.max(1, Math.floor(TOKENS_OF_A_RUN / encoded[at]!.ids.length));
    const group = encoded.slice(at, at + rows);
    const read = await opened.read(group.map(({ ids }) => ids));
    group.forEach(({ text }, i) => {
      states.set(text, unitRows(read[i]!, config.hiddenSize));
    });
    at += group.length;
  }
  return states;
}

/**
 * Greedy matching. The tokens that begin and end a text can be matched, and are not counted.
 * @param prediction f32[P, D], rows of length 1
 * @param reference f32[R, D], the same
 */
function bertScore(prediction: Float32Array, reference: Float32Array, width: number): BertScore {
  const [rows, columns] = [prediction.length / width, reference.length / width];
  if (rows === 2 || columns === 2) return { precision: 0, recall: 0, f1: 0 };
  const bestOfRow = new Float64Array(rows).fill(-1);
  const bestOfColumn = new Float64Array(columns).fill(-1);
  for (let p = 0; p < rows; p++)
    for (let r = 0; r < columns; r++) {
      let cosine = 0;
      for (let d = 0; d < width; d++) cosine += prediction[p * width + d]! * reference[r * width + d]!;
      bestOfRow[p] = Math.max(bestOfRow[p]!, cosine);
      bestOfColumn[r] = Math.max(bestOfColumn[r]!, cosine);
    }
  const inner = (best: Float64Array) => {
    let sum = 0;
    for (let t = 1; t < best.length - 1; t++) sum += best[t]!;
    return sum / (best.length - 2);
  };
  const [precision, recall] = [inner(bestOfRow), inner(bestOfColumn)];
  const f1 = (2 * precision * recall) / (precision + recall);
  return { precision, recall, f1: Number.isNaN(f1) ? 0 : f1 };
}

/** The rows, each of length 1. */
function unitRows(rows: Float32Array, width: number): Float32Array {
  for (let start = 0; start < rows.length; start += width) {
    let squares = 0;
    for (let d = 0; d < width; d++) squares += rows[start + d]! ** 2;
    const length = Math.sqrt(squares);
    for (let d = 0; d < width; d++) rows[start + d]! /= length;
  }
  return rows;
}
