/**
 * @file METEOR of a prediction and its references: words matched exactly, by stem, by synonym, and how much their order differs.
 * Banerjee and Lavie (2005), Lavie and Agarwal (2007); equal to NLTK 3.9.1 `meteor_score` on tokens of `word_tokenize`, as
 * the `meteor` of Hugging Face's evaluate calls it.
 */
import { porterStem } from './porter-stemmer.ts';
import { type PunktParameters, punktSentences } from './punkt.ts';
import { treebankWords } from './treebank-words.ts';
import type { Synonyms } from './wordnet.ts';

/** What METEOR knows beside the texts. */
export interface MeteorOptions {
  /** Of WordNet; without them words match exactly and by stem only, and scores are lower than published ones. */
  readonly synonyms?: Synonyms;
  /** Of the language; without them every full stop after a word but an initial ends a sentence. */
  readonly punkt?: PunktParameters;
}

// Weight of precision against recall, shape and weight of the penalty for pieces: NLTK's defaults.
const ALPHA = 0.9;
const BETA = 3;
const GAMMA = 0.5;

/**
 * The score of the best reference, 0 to 1.
 *
 * $$ (1 − γ (c/m)^β) \cdot P R / (α P + (1 − α) R) $$
 *
 * with m matched words, P and R their shares of prediction and reference, c the runs of matches that are adjacent in both.
 * @param references at least one
 */
export function meteor(
  prediction: string,
  references: readonly string[],
  { synonyms, punkt }: MeteorOptions = {},
): number {
  const tokens = (text: string) =>
    punktSentences(text, punkt)
      .flatMap(treebankWords)
      .map((token) => token.toLowerCase());
  const predicted = tokens(prediction);
  return Math.max(...references.map((reference) => scoreOf(predicted, tokens(reference), synonyms)));
}

/** A token and its place. */
interface Placed {
  readonly place: number;
  readonly token: string;
}

/** Places in prediction and reference. */
type Match = readonly [prediction: number, reference: number];

function scoreOf(prediction: readonly string[], reference: readonly string[], synonyms?: Synonyms): number {
  const matches = alignment(prediction, reference, synonyms);
  if (matches.length === 0) return 0;
  const precision = matches.length / prediction.length;
  const recall = matches.length / reference.length;
  const mean = (precision * recall) / (ALPHA * precision + (1 - ALPHA) * recall);
  const pieces = matches.filter(
    ([a, b], n) => n === 0 || a !== matches[n - 1]![0] + 1 || b !== matches[n - 1]![1] + 1,
  ).length;
  return (1 - GAMMA * (pieces / matches.length) ** BETA) * mean;
}

/** Words matched exactly, the rest by stem, the rest by synonym (looked up by stem, as NLTK does); in the prediction's order. */
function alignment(
  prediction: readonly string[],
  reference: readonly string[],
  synonyms?: Synonyms,
): Match[] {
  const placed = (tokens: readonly string[]) => tokens.map((token, place): Placed => ({ place, token }));
  const stemmed = (tokens: readonly Placed[]) =>
    tokens.map(({ place, token }): Placed => ({ place, token: porterStem(token) }));
  const itself = (token: string) => [token];
  const exact = matched(placed(prediction), placed(reference), itself);
  const stems = matched(stemmed(exact.prediction), stemmed(exact.reference), itself);
  const meanings =
    synonyms === undefined
      ? []
      : matched(stems.prediction, stems.reference, (token) => new Set([token, ...synonyms(token)])).matches;
  return [...exact.matches, ...stems.matches, ...meanings].sort(([a], [b]) => a - b);
}

/** Matches from the end backwards, each with the latest free reference token among the forms of a token; and what is left. */
function matched(
  prediction: readonly Placed[],
  reference: readonly Placed[],
  formsOf: (token: string) => Iterable<string>,
): { matches: Match[]; prediction: Placed[]; reference: Placed[] } {
  const free = new Map<string, Placed[]>();
  for (const entry of reference) {
    const same = free.get(entry.token);
    if (same === undefined) free.set(entry.token, [entry]);
    else same.push(entry);
  }
  const matches: Match[] = [];
  const left: Placed[] = [];
  for (const entry of [...prediction].reverse()) {
    let latest: Placed[] | undefined;
    for (const form of formsOf(entry.token)) {
      const candidates = free.get(form);
      if ((candidates?.at(-1)?.place ?? -1) > (latest?.at(-1)?.place ?? -1)) latest = candidates;
    }
    const taken = latest?.pop();
    if (taken === undefined) left.push(entry);
    else matches.push([entry.place, taken.place]);
  }
  const rest = [...free.values()].flat().sort((a, b) => a.place - b.place);
  return { matches, prediction: left.reverse(), reference: rest };
}
