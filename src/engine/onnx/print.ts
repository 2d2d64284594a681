/** @file Prints an expression graph line by line, for people and for error messages. */
import { type Node, nodesInOrder, printType, type Value } from '../ops/value.ts';

/**
 * One line a value, such as `%7: f32[B, T, V] = matmul(%5, %6)  # layers.0.mlp.down`.
 * Numbers are given in execution order, so equal graphs print alike.
 */
export function printGraph(outputs: Readonly<Record<string, Value>>): string {
  const numbers = new Map<Value, string>();
  const lines: string[] = [];
  for (const node of nodesInOrder(Object.values(outputs))) {
    const results = node.outputs.map((value) => {
      const name = `%${numbers.size}`;
      numbers.set(value, name);
      return `${name}: ${printType(value)}`;
    });
    // What a recompute node hides has no number: only its first input is part of the run.
    const inputs = node.inputs.map((value) => numbers.get(value) ?? '·');
    const place = node.scope === '' ? '' : `  # ${node.scope}`;
    lines.push(
      `${results.join(', ')} = ${node.op}(${[...inputs, ...printAttributes(node)].join(', ')})${place}`,
    );
  }
  for (const [name, value] of Object.entries(outputs)) lines.push(`return ${name} = ${numbers.get(value)}`);
  return lines.join('\n');
}

function printAttributes(node: Node): string[] {
  if (node.op === 'constant') {
    const { data } = node.attributes as { data: Float32Array };
    return [data.length <= 4 ? `[${data.join(', ')}]` : `${data.length} numbers`];
  }
  return Object.entries(node.attributes)
    .filter(
      ([key, value]) =>
        typeof value !== 'function' && !(key === 'dtype' || (key === 'shape' && 'dtype' in node.attributes)),
    )
    .map(([key, value]) => `${key}=${Array.isArray(value) ? `[${value.join(', ')}]` : value}`);
}
