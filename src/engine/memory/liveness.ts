/**
 * @file How much memory the values of a graph need at most while it runs: an execution by sizes alone, in the order in
 * which ONNX Runtime runs nodes, each value held from the node that makes it to the last that reads it.
 */
import { evaluateDim } from '../ops/dimension.ts';
import {
  aliasedValue,
  graphInputs,
  type Node,
  nodesInOrder,
  type OpName,
  type TensorType,
  type Value,
} from '../ops/value.ts';

/** Bytes of one number. */
const WIDTH = { f32: 4, i64: 8, bool: 1, u8: 1, u4: 0.5 } as const;

/** Operators whose result may lie where their first input lay, once nothing else reads that. */
const inPlace: ReadonlySet<OpName> = new Set<OpName>([
  'add',
  'sub',
  'mul',
  'div',
  'maximum',
  'minimum',
  'neg',
  'exp',
  'log',
  'sqrt',
  'tanh',
  'sigmoid',
  'softmax',
  'logSoftmax',
]);

type SizeOf = (type: TensorType) => number;

/** What an operator needs while it runs, beyond its inputs and outputs; lowering-rules.ts says why. */
const scratch: { readonly [K in OpName]?: (node: Node<K>, bytes: SizeOf) => number } = {
  // The wrapped products and two forms of the mask.
  dropout: (node, bytes) => (9 / 4) * bytes(node.inputs[0]!),
  // Scores of all queries, and once more masked.
  attend: ({ inputs: [query, key] }, bytes) =>
    2 * bytes({ dtype: 'f32', shape: [...query!.shape.slice(0, 3), key!.shape[2]!] }),
  // Indices spread over all columns.
  scatterAddRows: (node, bytes) => 2 * bytes(node.inputs[2]!),
  // The matrix in f32.
  quantisedProduct: (node, bytes) => bytes({ dtype: 'f32', shape: node.inputs[2]!.shape }),
};

/**
 * Bytes that intermediate values take at the peak. Inputs, weights and `outputs` are not counted: they have memory of their own.
 * @param sizes of all symbols of the inputs
 */
export function peakBytes(
  outputs: Readonly<Record<string, Value>>,
  sizes: ReadonlyMap<string, number>,
): number {
  const roots = Object.values(outputs).map(aliasedValue);
  const order = executionOrder(roots);
  const bytes = sizeFunction(sizes);
  const held = new Set(roots);
  const lastUse = new Map<Value, number>();
  order.forEach((node, at) => {
    for (const input of graphInputs(node)) lastUse.set(bufferOf(input), at);
  });
  let live = 0;
  let peak = 0;
  order.forEach((node, at) => {
    const dying = [...new Set(graphInputs(node).map(bufferOf))].filter(
      (value) => lastUse.get(value) === at && isCounted(value, held),
    );
    const made = node.outputs.filter(
      (output) =>
        bufferOf(output) === output &&
        isCounted(output, held) &&
        (output.output === 0 || lastUse.has(output)),
    );
    const reused =
      inPlace.has(node.op) && made.length > 0
        ? dying.find((value) => bytes(value) === bytes(made[0]!))
        : undefined;
    const added =
      made.reduce((sum, value) => sum + bytes(value), 0) - (reused === undefined ? 0 : bytes(reused));
    const extra = scratch[node.op] as ((node: Node, bytes: SizeOf) => number) | undefined;
    peak = Math.max(peak, live + added + (extra?.(node, bytes) ?? 0));
    live += added;
    for (const value of dying) if (value !== reused) live -= bytes(value);
    // What nothing reads is freed at once.
    for (const value of made) if (!lastUse.has(value)) live -= bytes(value);
  });
  return peak;
}

/** Depth first from the last output on, and from the input that was built last: ONNX Runtime's default order. */
export function executionOrder(roots: readonly Value[]): Node[] {
  const built = nodesInOrder(roots);
  const index = new Map(built.map((node, i) => [node, i]));
  const stack = roots.map(({ node }) => ({ node, isDone: false }));
  const seen = new Set<Node>();
  const order: Node[] = [];
  while (stack.length > 0) {
    const { node, isDone } = stack.pop()!;
    if (isDone) {
      order.push(node);
      continue;
    }
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push({ node, isDone: true });
    const inputs = [...new Set(graphInputs(node).map((value) => value.node))];
    inputs.sort((a, b) => index.get(a)! - index.get(b)!);
    for (const input of inputs) if (!seen.has(input)) stack.push({ node: input, isDone: false });
  }
  return order;
}

/** The value whose buffer a value is: reshaping and waiting copy nothing. */
function bufferOf(value: Value): Value {
  let source = aliasedValue(value);
  while (source.node.op === 'reshape' || source.node.op === 'barrier')
    source = aliasedValue(source.node.inputs[0]!);
  return source;
}

const isCounted = (value: Value, held: ReadonlySet<Value>): boolean =>
  !['input', 'weight', 'constant'].includes(value.node.op) && !held.has(value);

function sizeFunction(sizes: ReadonlyMap<string, number>): SizeOf {
  const known = new Map<string, number>();
  const dim = (symbols: string) => {
    let size = known.get(symbols);
    if (size === undefined) {
      size = evaluateDim(symbols, sizes);
      known.set(symbols, size);
    }
    return size;
  };
  return ({ dtype, shape }) =>
    shape.reduce<number>((product, d) => product * (typeof d === 'number' ? d : dim(d)), WIDTH[dtype]);
}
