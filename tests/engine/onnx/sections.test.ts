/** @file Graphs in sections compute bit for bit what they compute in one piece. */
import { create, fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { Model } from '../../../src/engine/models/model.ts';
import { ModelProtoSchema, NodeProtoSchema, TensorProto_DataType } from '../../../src/engine/onnx/onnx_pb.ts';
import { compile, type Program } from '../../../src/engine/onnx/program.ts';
import { inSections, type NodeGroup } from '../../../src/engine/onnx/sections.ts';
import { createSession, type HostTensor } from '../../../src/engine/runtime/session.ts';
import { mappedWeights } from '../../../src/engine/weights/mapped-weights.ts';
import { type ObjectivePlan, planObjective } from '../../../src/method/objectives/plan.ts';
import { trainingBatch } from '../../../src/method/training/batch.ts';
import { trainingExpressions } from '../../../src/method/training/training-graph.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';

const operators = ({ bytes }: Program) =>
  fromBinary(ModelProtoSchema, bytes).graph!.node.map(({ opType }) => opType);

/** A whole step of both passes: loss, its parts and every gradient. */
async function step(
  model: Model,
  { recompute, objective }: { readonly recompute: boolean; readonly objective: ObjectivePlan },
  sectionsFrom: number,
) {
  const lora = { rank: 2, loraAlpha: 4, targetModules: ['q_proj', 'v_proj', 'down_proj'] };
  const options = { model, objective, lora, recompute, seed: 1 };
  const { trainable, outputs, passes, feeds } = trainingExpressions({ ...options, accumulates: false });
  const { folder, tensors } = mappedWeights(model.weights);
  const program = compile(outputs, tensors, 'cpu', sectionsFrom);
  await using session = await createSession(program, { weightsFolder: folder, threads: 1 });
  const trained = Object.fromEntries(
    [...trainable].map(([name, { shape }], i): [string, HostTensor] => {
      const size = (shape as number[]).reduce((a, b) => a * b, 1);
      const data = Float32Array.from({ length: size }, (_, j) => Math.sin(i + j) / 8);
      return [name, { data, shape: shape as number[] }];
    }),
  );
  // Not every golden model knows as many words.
  const known = (ids: readonly number[]) => ids.map((id) => id % model.config.vocabularySize);
  const pairs = randomPairs(5).map((pair) => ({
    ...pair,
    withHistoryIds: known(pair.withHistoryIds),
    withoutHistoryIds: known(pair.withoutHistoryIds),
    responseIds: known(pair.responseIds),
  }));
  const batch = trainingBatch(pairs, passes, 0);
  return { program, results: await session.run({ ...trained, ...feeds(batch, 5) }) };
}

describe('a training step in sections', () => {
  const code = planObjective('nextquill-code');
  const plausible = planObjective('cft', {
    plausibility: 0.1,
    differenceAt: 'preferenceTokens',
    stopGradient: true,
  });
  it.each([
    ['tiny-llama', { recompute: true, objective: code }],
    ['tiny-qwen3', { recompute: false, objective: code }],
    ['tiny-llama', { recompute: true, objective: plausible }],
    ['tiny-llama', { recompute: false, objective: planObjective('sft', { calibrationWeight: 0.3 }) }],
  ])('of %s is that in one piece, bit for bit', async (name, options) => {
    const model = await tinyModel(name);
    const whole = await step(model, options, Number.POSITIVE_INFINITY);
    const sectioned = await step(model, options, 1);
    expect(operators(whole.program)).not.toContain('If');
    expect(operators(sectioned.program).filter((type) => type === 'If').length).toBeGreaterThan(4);
    expect(Object.keys(whole.results).length).toBeGreaterThan(5);
    expect(sectioned.results).toEqual(whole.results);
    expect(whole.results.loss!.data[0]).toBeGreaterThan(0);
  });
});

describe('a graph in sections', () => {
  it('has none for views alone between values outside: they are made again where they are read', () => {
    const group = (isOutside: boolean, opType: string, input: string[], output: string): NodeGroup => ({
      nodes: [create(NodeProtoSchema, { name: output, opType, input, output: [output] })],
      isOutside,
    });
    const nodes = inSections(
      [
        group(false, 'Relu', ['x'], 'a'),
        group(true, 'Exp', ['a'], 'wide'),
        // Once an `If` without outputs, which ONNX Runtime refuses.
        group(false, 'Reshape', ['a', 'shape'], 'view'),
        group(true, 'Add', ['wide', 'view'], 'sum'),
      ],
      {
        size: 1,
        results: new Set(['sum']),
        condition: 'true',
        typeOf: () => TensorProto_DataType.FLOAT,
        anyOf: () => 'shape',
      },
    );
    expect(nodes.map(({ opType, output }) => [opType, ...output])).toEqual([
      ['If', 'a'],
      ['Exp', 'wide'],
      ['Reshape', 'view viewed in 3'],
      ['Add', 'sum'],
    ]);
  });
});
