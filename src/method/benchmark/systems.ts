/** @file The systems of a leaderboard as data: what each is trained by, and what its prompts show. */
import { ConfigError, nearestName } from '../../base/errors.ts';
import type { ObjectiveOptions } from '../objectives/objective-options.ts';
import { type ObjectiveChoice, objectiveOf } from '../objectives/objectives.ts';
import { type EstimatorName, planObjective } from '../objectives/plan.ts';
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
  readonly training?: {
    readonly objective: ObjectiveChoice;
    readonly options?: ObjectiveOptions;
    /** Whose effects weights are made of; the model in training by default. */
    readonly estimator?: EstimatorName;
  };
  /**
   * One adapter for each user, trained on the user's own earlier texts, on a base into which the adapter of another system is merged
   * first (OPPU, arXiv 2402.04401): so that the base knows the task.
   */
  readonly perUser?: { readonly base: 'sft-no-history' | 'sft-bm25' };
  /** Another system whose adapter it uses; it is then not trained itself. */
  readonly adapterOf?: string;
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
    what: 'the default: sft, and effects calibrated',
    retrieval: 'latest',
    training: { objective: 'nextquill' },
  },
} as const satisfies Record<string, BenchmarkSystem>;

/** Names of the systems that a benchmark compares. */
export type SystemName = keyof typeof table;

export const benchmarkSystems: Readonly<Record<SystemName, BenchmarkSystem>> = table;

/** All systems that a benchmark can compare. */
export const systemNames = Object.keys(benchmarkSystems) as readonly SystemName[];

/** A system of one's own: an objective with options, trained and shown the latest items as `sft` is. */
export interface ObjectiveSystem {
  readonly name: string;
  readonly objective: ObjectiveChoice;
  readonly objectiveOptions?: ObjectiveOptions | undefined;
  readonly estimator?: EstimatorName | undefined;
}

/** A trained system whose history is scaled by the strength that is best on validation users; nothing is trained for it. */
export interface ScaledSystem {
  readonly name: string;
  /** The trained system. */
  readonly scaled: string;
}

/** What a benchmark compares: a system of the table by its name, or one of one's own. */
export type SystemEntry = SystemName | ObjectiveSystem | ScaledSystem;

/**
 * The systems of a benchmark by name, in the order given.
 * @throws {ConfigError} for an unknown or doubled name, options that an objective does not take, and a scaled system that is not
 *   another trained one that is shown a history
 */
export function systemsOf(entries: readonly SystemEntry[]): ReadonlyMap<string, BenchmarkSystem> {
  const systems = new Map<string, BenchmarkSystem>();
  for (const entry of entries) {
    const name = typeof entry === 'string' ? entry : entry.name;
    if (systems.has(name) || (typeof entry !== 'string' && Object.hasOwn(table, name)))
      throw new ConfigError(`systems: expected names that differ, got ${name} twice`, {
        code: 'benchmark/duplicate',
        hint: 'Results are kept by these names: rename a system of your own, or leave a doubled one out.',
      });
    systems.set(name, typeof entry === 'string' ? benchmarkSystem(entry) : ownSystem(entry));
  }
  for (const [name, { adapterOf, scales }] of systems) {
    if (adapterOf === undefined || scales === 'adapter') continue;
    const { training, perUser, retrieval } = systems.get(adapterOf) ?? {};
    if (training === undefined || perUser !== undefined || retrieval === undefined)
      throw new ConfigError(
        `system ${name}: scaled: expected a trained system of this benchmark that is shown a history, got ${adapterOf}`,
        { code: 'benchmark/scaled', hint: 'Add that system to systems, or scale another one.' },
      );
  }
  return systems;
}

function ownSystem(entry: ObjectiveSystem | ScaledSystem): BenchmarkSystem {
  if ('scaled' in entry)
    return {
      what: `${entry.scaled}, the effect of the history scaled by the strength that is best on validation users`,
      retrieval: 'latest',
      adapterOf: entry.scaled,
      scales: 'history',
    };
  const { objective, objectiveOptions: options, estimator } = entry;
  const { fit } = planObjective(objective, options, estimator);
  const changed = Object.entries({ ...(estimator && { estimator }), ...options });
  return {
    what: [objective, ...changed.map(([option, value]) => `${option} ${value}`)].join(', '),
    ...(fit === 'withHistory' && { retrieval: 'latest' as const }),
    training: { objective, ...(options && { options }), ...(estimator && { estimator }) },
  };
}

/** A system, and the options that the name of its objective brings: the default's are not the same in every version. */
export function identityOf(system: BenchmarkSystem): unknown[] {
  const { options } =
    system.training === undefined ? { options: {} } : objectiveOf(system.training.objective);
  return Object.keys(options).length === 0 ? [system] : [system, options];
}

/** The system of a name in the table. @throws {ConfigError} when there is none */
export function benchmarkSystem(name: string): BenchmarkSystem {
  if (Object.hasOwn(benchmarkSystems, name)) return benchmarkSystems[name as SystemName];
  const near = nearestName(name, systemNames);
  throw new ConfigError(`system: expected one of ${systemNames.join(', ')}, got ${JSON.stringify(name)}`, {
    code: 'benchmark/system',
    hint: near === undefined ? 'Choose one of these names.' : `Did you mean "${near}"?`,
  });
}
