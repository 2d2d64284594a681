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
  /** How they show them, where it is not as all others do: as turns of a conversation, or by a summary that the model writes. */
  readonly template?: 'pairs' | 'summary';
  /** By what it is trained; the model as it comes where absent. */
  readonly training?: { readonly objective: ObjectiveChoice; readonly options?: ObjectiveOptions };
  /**
   * One adapter for each user, trained on the user's own earlier texts, on a base into which the adapter of another system is merged
   * first (OPPU, arXiv 2402.04401): so that the base knows the task.
   */
  readonly perUser?: { readonly base: 'sft-no-history' | 'sft-bm25' };
  /** Another system whose adapter it uses; it is then not trained itself. */
  readonly adapterOf?: 'sft';
  /**
   * What a strength s scales that is chosen on validation users: `history`, z_∅ + s (z_h − z_∅) (Context Steering, arXiv 2405.01768);
   * `adapter`, z_base + s (z_adapter − z_base) (CoPe, arXiv 2506.12109).
   */
  readonly scales?: 'history' | 'adapter';
}

/** Every system, in the order of tables. */
const table = {
  'no-history': { what: 'the model as it comes, shown the query alone' },
  latest: { what: 'the model as it comes, shown the latest items', retrieval: 'latest' },
  pairs: {
    what: 'the same items as earlier turns: each request of the user with the text that answered it',
    retrieval: 'latest',
    template: 'pairs',
  },
  summary: {
    what: 'shown a summary that the model wrote of the history, in place of its items',
    retrieval: 'latest',
    template: 'summary',
  },
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
    scales: 'history',
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
  cope: {
    what: 'sft contrasted with the model as it comes, by the strength that is best on validation users',
    retrieval: 'latest',
    adapterOf: 'sft',
    scales: 'adapter',
  },
  'sft-bm25': {
    what: 'fine-tuned with the items that BM25 finds',
    retrieval: 'bm25',
    training: { objective: 'sft' },
  },
  oppu: {
    what: 'sft-no-history, and on it an adapter for each user, trained on the user’s earlier texts',
    training: { objective: 'sft-no-history' },
    perUser: { base: 'sft-no-history' },
  },
  'oppu-bm25': {
    what: 'sft-bm25, and on it an adapter for each user, trained on the user’s earlier texts',
    retrieval: 'bm25',
    training: { objective: 'sft' },
    perUser: { base: 'sft-bm25' },
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
