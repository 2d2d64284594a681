/** @file Compiled graphs that outlive the scorers which use them: one for each shape, the least recently used let go first. */
import type { Session } from '../../engine/runtime/session.ts';
import type { ScoringGraph } from './scoring-graphs.ts';

/** A graph with its session. */
export interface CompiledGraph<T> {
  readonly graph: ScoringGraph<T>;
  readonly session: Session;
}

/** A use of a graph. */
export interface GraphUse<T> extends CompiledGraph<T> {
  /** Gives it back; called once. */
  release(): Promise<void>;
}

/** Graphs of one model. */
export interface KeptGraphs extends AsyncDisposable {
  /**
   * A graph by its shape.
   * @param shape tells graphs apart that compute something else; two of one shape have the same `T`
   */
  use<T>(shape: string, compile: () => Promise<CompiledGraph<T>>): Promise<GraphUse<T>>;
  /** Graphs that are kept, those in use among them. */
  count(): number;
}

interface Entry {
  readonly compiled: Promise<CompiledGraph<unknown>>;
  uses: number;
}

/** @param most graphs that nobody uses and that are kept beside those in use; 0 keeps none */
export function keptGraphs(most: number): KeptGraphs {
  /** The least recently used first. */
  const byShape = new Map<string, Entry>();
  const letGo = async (shape: string, { compiled }: Entry) => {
    byShape.delete(shape);
    await (await compiled).session[Symbol.asyncDispose]();
  };
  return {
    count: () => byShape.size,
    use: async <T>(shape: string, compile: () => Promise<CompiledGraph<T>>) => {
      const entry: Entry = byShape.get(shape) ?? { compiled: compile(), uses: 0 };
      byShape.delete(shape);
      byShape.set(shape, entry);
      entry.uses += 1;
      try {
        // Who names a shape says what it is a graph over.
        const { graph, session } = (await entry.compiled) as CompiledGraph<T>;
        const release = async () => {
          entry.uses -= 1;
          const unused = [...byShape].filter(([, { uses }]) => uses === 0);
          for (const each of unused.slice(0, Math.max(0, unused.length - most))) await letGo(...each);
        };
        return { graph, session, release };
      } catch (error) {
        if (byShape.get(shape) === entry) byShape.delete(shape);
        throw error;
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const each of [...byShape]) await letGo(...each);
    },
  };
}
