/** @file The expression graph: nodes are made, typed by their operators' rules, and put in order. */
import { GraphError, ShapeError } from '../../base/errors.ts';
import type { Node, OpAttributes, OpName, TensorType, Value } from './operator-table.ts';
import { shapeRules } from './shape-rules.ts';

export type {
  CachedAttentionShape,
  DType,
  Node,
  OpAttributes,
  OpName,
  TensorType,
  Value,
} from './operator-table.ts';

let scopes: readonly string[] = [];

/** Runs `build` with `name` added to the scope of every node it makes. */
export function withScope<T>(name: string, build: () => T): T {
  const outer = scopes;
  scopes = [...outer, name];
  try {
    return build();
  } finally {
    scopes = outer;
  }
}

/**
 * The outputs of a new node, their types by the operator's shape rule.
 * @throws {ShapeError} naming the operator and its place when the inputs do not fit
 */
export function makeNode<K extends OpName>(
  op: K,
  inputs: readonly Value[],
  attributes: OpAttributes[K],
): Value[] {
  const scope = scopes.join('.');
  const types = typesOf(op, inputs, attributes, scope);
  const outputs: Value[] = [];
  const node = { op, inputs, attributes, outputs, scope } as Node;
  types.forEach((type, output) => {
    outputs.push({ dtype: type.dtype, shape: type.shape, node, output });
  });
  return outputs;
}

/** The output types that the operator's shape rule gives; errors name the node. */
export function typesOf<K extends OpName>(
  op: K,
  inputs: readonly TensorType[],
  attributes: OpAttributes[K],
  scope: string,
): readonly TensorType[] {
  try {
    return shapeRules[op](inputs, attributes);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    const place = scope === '' ? op : `${op} at ${scope}`;
    throw new ShapeError(`${place}(${inputs.map(printType).join(', ')}): ${error.message}`, {
      code: error.code,
      hint: 'Compare the shapes above with what the operator expects.',
    });
  }
}

/** `f32[B, T]`. */
export function printType(type: TensorType): string {
  return `${type.dtype}[${type.shape.join(', ')}]`;
}

/**
 * All nodes that `outputs` depend on, each after its inputs; the order depends on the graph alone.
 * @param ends nodes beyond which nothing is asked
 */
export function nodesInOrder(outputs: readonly Value[], ends: ReadonlySet<Node> = new Set()): Node[] {
  const order: Node[] = [];
  const done = new Set<Node>();
  // An explicit stack: real models are deeper than JavaScript's call stack likes.
  const stack = outputs.map((value) => ({ node: value.node, next: 0 })).reverse();
  const open = new Set<Node>();
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    if (done.has(top.node)) {
      stack.pop();
      continue;
    }
    open.add(top.node);
    const inputs = ends.has(top.node) ? [] : graphInputs(top.node);
    if (top.next < inputs.length) {
      const input = inputs[top.next++]!.node;
      if (!done.has(input)) {
        if (open.has(input))
          throw new GraphError(`${input.op} at ${input.scope}: depends on itself`, { code: 'graph/cycle' });
        stack.push({ node: input, next: 0 });
      }
      continue;
    }
    stack.pop();
    open.delete(top.node);
    done.add(top.node);
    order.push(top.node);
  }
  return order;
}

/** The inputs that a run really reads: a `recompute` node reads only its first, the rest serve its gradient. */
export function graphInputs(node: Node): readonly Value[] {
  return node.op === 'recompute' ? node.inputs.slice(0, 1) : node.inputs;
}

/** The value whose buffer `value` really is: operators that only carry meaning for gradients are looked through. */
export function aliasedValue(value: Value): Value {
  let source = value;
  while (source.node.op === 'stopGradient' || source.node.op === 'recompute') source = source.node.inputs[0]!;
  return source;
}
