/** @file What one session needs, whatever its graph: the values of its largest run, its weights and the graph itself. */
import { largest } from '../../../base/largest.ts';
import { peakBytes } from '../../../engine/memory/liveness.ts';
import { nodesInOrder, type TensorType, type Value } from '../../../engine/ops/value.ts';
import { type HostTensor, symbolSizes } from '../../../engine/runtime/session.ts';

/** Blocks of the arena are rounded up and cut unevenly (measured: 0 to 15 % over the live bytes, and about 30 MiB). */
const ARENA = { share: 1.1, bytes: 32 << 20 } as const;

/** A node of the graph in the program's and ONNX Runtime's own structures (measured). */
const NODE_BYTES = 6 << 10;

/** What is fed to a run whose sizes matter, and bytes that it needs beside the graph's values. */
export interface PlannedRun {
  /** Inputs that are left out have no size that others depend on. */
  readonly feeds: Readonly<Record<string, HostTensor>>;
  readonly beside?: number;
}

/** Bytes that a session over `outputs` needs. */
export interface SessionMemory {
  /** Of all frozen weights that it maps, in f32. */
  readonly weights: number;
  /** What its largest run needs, and what ONNX Runtime's arena adds. */
  readonly activations: number;
  /** The compiled graph. */
  readonly graph: number;
}

/** Cost: walks the graph once, and once more for each run. */
export function sessionMemory(
  outputs: Readonly<Record<string, Value>>,
  runs: readonly PlannedRun[],
): SessionMemory {
  const nodes = nodesInOrder(Object.values(outputs));
  const inputs = new Map<string, TensorType>();
  let weights = 0;
  for (const { op, attributes } of nodes) {
    const { name, shape, dtype } = attributes as { name: string } & TensorType;
    if (op === 'weight') weights += 4 * (shape as number[]).reduce((a, b) => a * b, 1);
    else if (op === 'input') inputs.set(name, { dtype, shape });
  }
  const peaks = runs.map(({ feeds, beside = 0 }) => {
    const sized = new Map([...inputs].filter(([name]) => name in feeds));
    return peakBytes(outputs, symbolSizes(sized, feeds)) + beside;
  });
  return {
    weights,
    activations: Math.round(ARENA.share * largest(peaks)) + ARENA.bytes,
    graph: NODE_BYTES * nodes.length,
  };
}
