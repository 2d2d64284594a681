/** @file Reverse-mode differentiation: vector–Jacobian products of expression graphs, as new expressions. */
import { GraphError, ShapeError } from '../../base/errors.ts';
import { sameShape } from '../ops/dimension.ts';
import { add, constant, gemm, scatterAddRows } from '../ops/operators.ts';
import { type Node, nodesInOrder, type OpName, printType, type Value, withScope } from '../ops/value.ts';
import { type VjpRule, vjpRules } from './rules.ts';

/**
 * The gradients of a scalar with respect to `variables`.
 * @param loss f32[] (or any f32 value when `cotangent` is given)
 * @param variables f32 values that `loss` depends on, leaves or not
 * @param cotangent what to multiply the Jacobian with from the left; 1 by default
 * @returns one value per variable, of the variable's shape
 * @throws {GraphError} when a variable has no path to the loss, or the loss is no scalar
 */
export function vjp(loss: Value, variables: readonly Value[], cotangent?: Value): Value[] {
  if (cotangent === undefined && loss.shape.length !== 0)
    throw new GraphError(`vjp: expected a scalar loss, got ${printType(loss)}`, { code: 'graph/not-scalar' });
  const gradients = pullBack(loss, variables, cotangent ?? constant(1));
  return gradients.map((gradient, index) => {
    if (gradient !== undefined) return gradient;
    const variable = variables[index]!;
    throw new GraphError(`vjp: ${describe(variable)} has no path to the loss that carries a gradient`, {
      code: 'graph/no-gradient',
      hint: 'Leave it out of the variables, or look for a stopGradient on the way.',
    });
  });
}

/**
 * As {@link vjp}, with undefined for variables that no gradient reaches. Variables are independent of each other:
 * what one of them is computed from gets nothing through it.
 */
export function pullBack(loss: Value, variables: readonly Value[], cotangent: Value): (Value | undefined)[] {
  // Every node up to the variables, not beyond: rules pull back through pieces of deep graphs. A recompute node's hidden inputs
  // count here, its inside does not.
  const ends = new Set(variables.map((variable) => variable.node));
  const outside = outsideRecompute(loss, ends);
  const order = nodesInOrder([loss], ends).filter((node) => outside.has(node));
  const dependent = new Set<Value>(variables);
  for (const node of order) {
    const relevant = node.op === 'recompute' ? node.inputs.slice(1) : node.inputs;
    if (relevant.some((value) => dependent.has(value))) for (const out of node.outputs) dependent.add(out);
  }
  const cotangents = new Map<Value, Value>([[loss, cotangent]]);
  for (const node of order.reverse()) {
    if (ends.has(node)) continue;
    const outer = node.outputs.map((output) => cotangents.get(output));
    if (outer.every((value) => value === undefined)) continue;
    const needed = node.inputs.map(
      (value, i) => dependent.has(value) && !(node.op === 'recompute' && i === 0),
    );
    if (!needed.includes(true)) continue;
    const inner = withScope(`${node.scope === '' ? node.op : node.scope}'`, () =>
      applyRule(node, outer, needed),
    );
    inner.forEach((gradient, index) => {
      const value = node.inputs[index]!;
      if (gradient === undefined || !needed[index]) return;
      if (!sameShape(gradient.shape, value.shape))
        throw new ShapeError(
          `gradient of ${node.op} at ${node.scope}, input ${index}: expected ${printType(value)}, got ${printType(gradient)}`,
          { code: 'shape/gradient' },
        );
      const sum = cotangents.get(value);
      cotangents.set(value, sum === undefined ? gradient : accumulate(sum, gradient));
    });
  }
  return variables.map((variable) => cotangents.get(variable));
}

/** The nodes that `loss` reaches, up to `ends`, in another way than through the first input of a recompute node. */
function outsideRecompute(loss: Value, ends: ReadonlySet<Node>): ReadonlySet<Node> {
  const outside = new Set<Node>();
  const stack = [loss.node];
  while (stack.length > 0) {
    const next = stack.pop()!;
    if (outside.has(next)) continue;
    outside.add(next);
    if (ends.has(next)) continue;
    for (const value of next.op === 'recompute' ? next.inputs.slice(1) : next.inputs) stack.push(value.node);
  }
  return outside;
}

function applyRule(node: Node, cotangents: (Value | undefined)[], needed: boolean[]): (Value | undefined)[] {
  const extra = cotangents.slice(1).findIndex((value) => value !== undefined);
  if (extra >= 0)
    throw new GraphError(`${node.op} at ${node.scope}: output ${extra + 1} carries no gradient`, {
      code: 'graph/no-gradient',
    });
  // The table is typed operator by operator; here the operator is only known at run time.
  const rule = vjpRules[node.op] as VjpRule<OpName>;
  return rule(node, cotangents[0]!, needed, pullBack);
}

/** a + b, folded into a product or a scatter that can take the other as its starting value: no pass of its own. */
export function accumulate(a: Value, b: Value): Value {
  for (const [term, other] of [
    [b, a],
    [a, b],
  ] as const) {
    const { node } = term;
    const { inputs } = node;
    if (node.op === 'gemm' && inputs.length === 2)
      return gemm(inputs[0]!, inputs[1]!, { ...node.attributes, c: other });
    if (node.op === 'scatterAddRows' && inputs[0]!.node.op === 'expand')
      return scatterAddRows(other, inputs[1]!, inputs[2]!);
  }
  return add(a, b);
}

function describe(value: Value): string {
  const { op, attributes, scope } = value.node;
  return 'name' in attributes ? `${op} ${attributes.name}` : `${op} at ${scope}`;
}
