/** @file Gradients end at their variables: what those are computed from is not looked at. */
import { describe, expect, it } from 'vitest';
import { pullBack } from '../../../src/engine/autodiff/vjp.ts';
import { input, mul, tanh } from '../../../src/engine/ops/operators.ts';
import { nodesInOrder } from '../../../src/engine/ops/value.ts';
import { evaluate } from '../../../src/engine/runtime/evaluate.ts';

describe('a pull-back', () => {
  it('does not walk beyond its variables', () => {
    // Every layer's attention once walked all layers below it: time in the square of the layers.
    const lower = tanh(input('x', 'f32', [2]));
    const deep = tanh(lower);
    const loss = mul(tanh(deep), deep);
    const walked: string[] = [];
    const { node } = lower;
    const below = node.inputs;
    Object.defineProperty(node, 'inputs', {
      get: () => {
        walked.push('below');
        return below;
      },
    });
    const [gradient] = pullBack(loss, [deep], input('dy', 'f32', [2]));
    expect(walked).toEqual([]);
    expect(nodesInOrder([loss], new Set([deep.node])).length).toBe(3);
    expect(gradient).toBeDefined();
  });

  it('gives nothing to a variable through another one', async () => {
    const x = input('x', 'f32', [1]);
    const y = mul(x, x);
    const [ofX, ofY] = pullBack(mul(y, x), [x, y], input('dy', 'f32', [1]));
    const feeds = {
      x: { data: Float32Array.of(3), shape: [1] },
      dy: { data: Float32Array.of(1), shape: [1] },
    };
    const { a, b } = await evaluate({ a: ofX!, b: ofY! }, feeds);
    expect([a!.data[0], b!.data[0]]).toEqual([9, 3]);
  });
});
