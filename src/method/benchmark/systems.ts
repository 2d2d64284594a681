/** @file The systems of a leaderboard as data: what each is trained by, and what its prompts show. */
import { ConfigError, nearestName } from '../../base/errors.ts';
import type { ObjectiveOptions } from '../objectives/objective-options.ts';
import type { ObjectiveChoice } from '../objectives/objectives.ts';
import type { Retrieval } from '../retrieval/choose.ts';

/** One row of a leaderboard. */
export interface BenchmarkSystem {
  /** Half a sentence for tables. */
  readonly what: string;
  /** Which items its prompts show; no history at all where absent. */
  readonly retrieval?: Retrieval;
  /** By what it is trained; the model as it comes where absent. */
  readonly training?: { readonly objective: ObjectiveChoice; readonly options?: ObjectiveOptions };
  /** Whether logits are z_∅ + s (z_h − z_∅), s chosen on validation users (Context Steering, arXiv 2405.01768). */
  readonly isSteered?: true;
}

/** Every system, in the order of tables. */
const table = {
  'no-history': { what: 'the model as it comes, shown the query alone' },
  latest: { what: 'the model as it comes, shown the latest items as examples', retrieval: 'latest' },
  bm25: { what: 'the same, shown the items that BM25 finds', retrieval: 'bm25' },
  dense: {
    what: 'the same, shown the items nearest to the query in the model’s own hidden states',
    retrieval: 'dense',
  },
  random: { what: 'the same, shown random items', retrieval: 'random' },
  effect: {
    what: 'the same, shown the items that made earlier replies likeliest',
    retrieval: 'effect',
  },
  steering: {
    what: 'latest, the effect of the history scaled by the strength that is best on validation users',
    retrieval: 'latest',
    isSteered: true,
  },
  'sft-no-history': {
    what: 'fine-tuned and shown the query alone',
    training: { objective: 'sft-no-history' },
  },
  sft: {
    what: 'fine-tuned with the history in the prompt',
    retrieval: 'latest',
    training: { objective: 'sft' },
  },
  'sft-bm25': {
    what: 'fine-tuned with the items that BM25 finds',
    retrieval: 'bm25',
    training: { objective: 'sft' },
  },
  perce: {
    what: 'cross-entropy weighted by the log ratio',
    retrieval: 'latest',
    training: { objective: 'perce' },
  },
  cft: {
    what: 'cross-entropy and the loss on the difference of logits',
    retrieval: 'latest',
    training: { objective: 'cft' },
  },
  mipo: {
    what: 'a preference for the own history over another user’s',
    retrieval: 'latest',
    training: { objective: 'mipo' },
  },
  'nextquill-paper': {
    what: 'the paper’s objective',
    retrieval: 'latest',
    training: { objective: 'nextquill-paper' },
  },
  'nextquill-code': {
    what: 'the objective of the paper’s code',
    retrieval: 'latest',
    training: { objective: 'nextquill-code' },
  },
  nextquill: {
    what: 'what `train` does by default',
    retrieval: 'latest',
    training: { objective: 'nextquill' },
  },
} as const satisfies Record<string, BenchmarkSystem>;

/** Names of the systems that a benchmark compares. */
export type SystemName = keyof typeof table;

export const benchmarkSystems: Readonly<Record<SystemName, BenchmarkSystem>> = table;

/** All systems that a benchmark can compare. */
export const systemNames = Object.keys(benchmarkSystems) as readonly SystemName[];

/** The system of a name. @throws {ConfigError} when there is none */
export function benchmarkSystem(name: string): BenchmarkSystem {
  if (Object.hasOwn(benchmarkSystems, name)) return benchmarkSystems[name as SystemName];
  const near = nearestName(name, systemNames);
  throw new ConfigError(`system: expected one of ${systemNames.join(', ')}, got ${JSON.stringify(name)}`, {
    code: 'benchmark/system',
    hint: near === undefined ? 'Choose one of these names.' : `Did you mean "${near}"?`,
  });
}
