/** @file Graphs made for WebGPU, run on the processor: what differs from the processor's own computes the same. */
import { expect, it } from 'vitest';
import { vjp } from '../../../src/engine/autodiff/vjp.ts';
import { frozenParameters } from '../../../src/engine/models/parameters.ts';
import { createPasses } from '../../../src/engine/models/pass.ts';
import { compile } from '../../../src/engine/onnx/program.ts';
import { logSoftmax, matmul, mul, reduceSum, rmsNorm } from '../../../src/engine/ops/operators.ts';
import { createSession } from '../../../src/engine/runtime/session.ts';
import { mappedWeights } from '../../../src/engine/weights/mapped-weights.ts';
import { input, largestDifference } from '../../support/engine.ts';
import { logitsOf, wholeSequence } from '../../support/logits.ts';
import { tinyModel } from '../../support/tiny-model.ts';

it('the gradient of RMSNorm by a 1/rms of its own is that by ONNX Runtime’s', async () => {
  const [x, scale, c] = [input('x', 'f32', [2, 4]), input('scale', 'f32', [4]), input('c', 'f32', [2, 4])];
  const loss = reduceSum(mul(rmsNorm(x, scale, 1e-2), c), [0, 1]);
  const [dx, dscale] = vjp(loss, [x, scale]) as [typeof x, typeof x];
  const outputs = { loss, dx, dscale };
  const feeds = {
    x: { data: Float32Array.of(0.5, -1, 2, 0.1, 0.01, 0.02, -0.03, 0), shape: [2, 4] },
    scale: { data: Float32Array.of(1, 0.5, -1, 2), shape: [4] },
    c: { data: Float32Array.of(1, 2, 3, 4, -1, 0.5, 2, 1), shape: [2, 4] },
  };
  await using own = await createSession(compile(outputs), { threads: 1 });
  const expected = await own.run(feeds);
  const program = { ...compile(outputs, undefined, 'webgpu'), device: 'cpu' as const };
  await using session = await createSession(program, { threads: 1 });
  const results = await session.run(feeds);
  for (const name of Object.keys(outputs))
    expect(largestDifference(results[name]!, expected[name]!), name).toBeLessThan(1e-6);
});

it('products and log-softmax made of other operators are ONNX Runtime’s', async () => {
  const [a, b] = [input('a', 'f32', [2, 3, 4]), input('b', 'f32', [2, 5, 4])];
  const c = input('c', 'f32', [2, 4, 3]);
  const outputs = {
    scaled: matmul(a, b, { transB: true, alpha: 0.3 }),
    both: matmul(c, b, { transA: true, transB: true, alpha: 1 }),
    scores: logSoftmax(mul(a, 40)),
  };
  const wave = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(3 * i));
  const feeds = {
    a: { data: wave(24), shape: [2, 3, 4] },
    b: { data: wave(40), shape: [2, 5, 4] },
    c: { data: wave(24), shape: [2, 4, 3] },
  };
  await using own = await createSession(compile(outputs), { threads: 1 });
  const program = compile(outputs, undefined, 'webgpu');
  await using session = await createSession({ ...program, device: 'cpu' }, { threads: 1 });
  const [expected, results] = [await own.run(feeds), await session.run(feeds)];
  for (const name of Object.keys(outputs))
    expect(largestDifference(results[name]!, expected[name]!), name).toBeLessThan(1e-6);
});

it('a pass with one block of queries has the logits of one with several, and no empty block', async () => {
  const model = await tinyModel();
  const ids = Array.from({ length: 13 }, (_, t) => (t * 7) % 61);
  const expected = await logitsOf(model, ids);
  const passes = createPasses({ ...model, device: 'webgpu' }, frozenParameters());
  const { folder, tensors } = mappedWeights(model.weights);
  const program = compile({ logits: passes.logits('x', 'T') }, tensors, 'webgpu');
  const feeds = passes.feeds({ x: wholeSequence(ids) });
  expect(Object.values(feeds).every(({ data }) => data.length > 0)).toBe(true);
  await using session = await createSession({ ...program, device: 'cpu' }, { weightsFolder: folder });
  expect(largestDifference((await session.run(feeds)).logits!, expected)).toBeLessThan(1e-5);
});
