/** @file Checks a whole graph before it is lowered: every type again by its rule, every name once, every symbol bound. */
import { GraphError } from '../../base/errors.ts';
import { sameShape, symbolsOf } from '../ops/dimension.ts';
import { nodesInOrder, printType, typesOf, type Value } from '../ops/value.ts';

/**
 * Accepts the graph, in pieces, or says what is wrong with it and where.
 * @throws {GraphError} a recorded type differs from the rule's, two leaves share a name with different types, or a
 * symbolic dimension is no axis of any input
 */
export function* verify(outputs: Readonly<Record<string, Value>>): Generator<void, void> {
  if (Object.keys(outputs).length === 0)
    throw new GraphError('graph: expected at least one output, got none', { code: 'graph/empty' });
  const nodes = nodesInOrder(Object.values(outputs));
  const leaves = new Map<string, Value>();
  const bound = new Set<string>();
  for (const node of nodes) {
    yield;
    const types = typesOf(node.op, node.inputs, node.attributes, node.scope);
    node.outputs.forEach((value, index) => {
      const expected = types[index];
      if (expected === undefined || expected.dtype !== value.dtype || !sameShape(expected.shape, value.shape))
        throw new GraphError(
          `${node.op} at ${node.scope}, output ${index}: expected ${expected ? printType(expected) : 'nothing'}, got ${printType(value)}`,
          { code: 'graph/type' },
        );
    });
    if (node.op !== 'input' && node.op !== 'weight') continue;
    const { name, shape } = node.attributes;
    const [value] = node.outputs as [Value];
    if (leaves.has(name) || name in outputs)
      throw new GraphError(`${node.op} ${name}: the name is taken by another tensor of the graph`, {
        code: 'graph/duplicate-name',
        hint: 'Build each input once and share the value.',
      });
    leaves.set(name, value);
    if (node.op === 'weight' && shape.some((dim) => typeof dim !== 'number'))
      throw new GraphError(`weight ${name}: expected a shape of numbers, got ${printType(value)}`, {
        code: 'graph/weight-shape',
      });
    for (const dim of shape) if (typeof dim === 'string' && !/[*+]/.test(dim)) bound.add(dim);
  }
  for (const node of nodes) {
    yield;
    for (const value of node.outputs) {
      const free = value.shape.flatMap(symbolsOf).find((symbol) => !bound.has(symbol));
      if (free !== undefined)
        throw new GraphError(
          `${node.op} at ${node.scope}: ${printType(value)} uses ${free}, which no input binds`,
          {
            code: 'graph/unbound-symbol',
            hint: `Give the graph an input with ${free} as one whole axis.`,
          },
        );
    }
  }
}
