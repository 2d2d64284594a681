/** @file The Llama decoder against transformers and PEFT (tests/golden/make/tiny_llama.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { vjp } from '../../../src/engine/autodiff/vjp.ts';
import {
  allLinearLayers,
  frozenParameters,
  loraParameters,
  type ParameterSource,
  trainedParameters,
} from '../../../src/engine/models/parameters.ts';
import { createPasses, openSession } from '../../../src/engine/models/pass.ts';
import { architectureOf, parseDecoderConfig } from '../../../src/engine/models/registry.ts';
import { input, mul, neg, reduceSum, selectedLogProbability } from '../../../src/engine/ops/operators.ts';
import type { HostTensor } from '../../../src/engine/runtime/session.ts';
import {
  openSafetensors,
  readTensor,
  type SafetensorsFile,
} from '../../../src/engine/weights/safetensors.ts';
import { largestDifference } from '../../support/engine.ts';

/** f32 sums in another order than PyTorch's. */
const TOLERANCE = 1e-5;

interface Tokens {
  readonly ids: number[][];
  readonly attentionMask?: number[][];
  readonly positionIds?: number[][];
  readonly rows: number[];
  readonly targets: number[];
  readonly loss: number;
}

const golden = 'tests/golden';

function passOf(tokens: Tokens, rows: readonly number[]) {
  const positions = tokens.positionIds ?? tokens.ids.map((row) => row.map((_, t) => t));
  const mask = tokens.attentionMask ?? tokens.ids.map((row) => row.map(() => 1));
  return {
    batch: tokens.ids.length,
    length: tokens.ids[0]!.length,
    tokenIds: BigInt64Array.from(tokens.ids.flat(), BigInt),
    positionIds: BigInt64Array.from(positions.flat(), BigInt),
    attentionMask: Float32Array.from(mask.flat()),
    rows: BigInt64Array.from(rows, BigInt),
  };
}

async function readAll(file: SafetensorsFile): Promise<Map<string, HostTensor>> {
  const tensors = new Map<string, HostTensor>();
  for (const { name, shape } of file.tensors.values())
    tensors.set(name, { data: await readTensor(file, name), shape });
  return tensors;
}

async function openGolden(name: string) {
  const expectedFile = await openSafetensors(`${golden}/${name}/expected.safetensors`);
  const weights = await openSafetensors(`${golden}/${name}/model.safetensors`);
  const json = JSON.parse(readFileSync(`${golden}/${name}.json`, 'utf8'));
  const path = `${golden}/${name}/config.json`;
  return {
    unpadded: json.unpadded as Tokens,
    padded: json.padded as { right: Tokens & { realRows: number[] }; left: Tokens & { realRows: number[] } },
    expected: await readAll(expectedFile),
    parameters: await readAll(weights),
    adapter: await readAll(await openSafetensors(`${golden}/${name}/adapter/adapter_model.safetensors`)),
    weights,
    config: parseDecoderConfig(JSON.parse(readFileSync(path, 'utf8')), path),
  };
}

describe.each(['tiny-llama', 'tiny-llama-tied'])('decoder %s', async (name) => {
  const g = await openGolden(name);
  const model = { config: g.config, architecture: architectureOf(g.config), weights: g.weights };

  async function run(
    source: ParameterSource,
    tokens: Tokens,
    rows: number[],
    extra: Record<string, HostTensor> = {},
  ) {
    const passes = createPasses(model, source);
    await using session = await openSession(model, { logits: passes.logits('x', 'T') }, { threads: 1 });
    return (await session.run({ ...passes.feeds({ x: passOf(tokens, rows) }), ...extra })).logits!;
  }

  async function gradients(source: ParameterSource, tokens: Tokens, values: Record<string, HostTensor>) {
    const passes = createPasses(model, source);
    const selected = selectedLogProbability(passes.logits('x', 'T'), input('targets', 'i64', ['S']));
    const loss = mul(reduceSum(neg(selected), [0]), 1 / tokens.rows.length);
    const names = [...source.trainable.keys()];
    const grads = vjp(loss, [...source.trainable.values()]);
    const outputs = Object.fromEntries(names.map((n, i) => [`grad.${n}`, grads[i]!]));
    await using session = await openSession(model, { loss, ...outputs }, { threads: 1 });
    const targets = { data: BigInt64Array.from(tokens.targets, BigInt), shape: [tokens.targets.length] };
    return await session.run({ ...passes.feeds({ x: passOf(tokens, tokens.rows) }), targets, ...values });
  }

  const everyRow = (tokens: Tokens) => tokens.ids.flat().map((_, i) => i);

  it('gives the logits of transformers without padding', async () => {
    const logits = await run(frozenParameters(), g.unpadded, everyRow(g.unpadded));
    expect(largestDifference(logits, g.expected.get('unpadded.logits')!)).toBeLessThan(TOLERANCE);
  });

  it.each(['left', 'right'] as const)(
    'gives the logits of transformers with padding on the %s',
    async (side) => {
      const tokens = g.padded[side];
      const logits = await run(frozenParameters(), tokens, tokens.realRows);
      expect(largestDifference(logits, g.expected.get(`padded.${side}.logits`)!)).toBeLessThan(TOLERANCE);
    },
  );

  it.each(['unpadded', 'left', 'right'] as const)(
    'gives the gradients of all parameters, %s',
    async (which) => {
      const tokens = which === 'unpadded' ? g.unpadded : g.padded[which];
      const results = await gradients(trainedParameters(), tokens, Object.fromEntries(g.parameters));
      expect(results.loss!.data[0]).toBeCloseTo(tokens.loss, 5);
      const prefix = which === 'unpadded' ? 'grad.' : 'padded.grad.';
      for (const parameter of g.parameters.keys()) {
        const difference = largestDifference(
          results[`grad.${parameter}`]!,
          g.expected.get(prefix + parameter)!,
        );
        expect(difference, parameter).toBeLessThan(TOLERANCE);
      }
    },
  );

  it('gives the logits and gradients of PEFT with a LoRA adapter', async () => {
    const lora = () => loraParameters({ rank: 4, loraAlpha: 8, targetModules: allLinearLayers });
    const values = Object.fromEntries(g.adapter);
    const logits = await run(lora(), g.unpadded, everyRow(g.unpadded), values);
    expect(largestDifference(logits, g.expected.get('lora.logits')!)).toBeLessThan(TOLERANCE);
    const results = await gradients(lora(), g.unpadded, values);
    for (const parameter of g.adapter.keys()) {
      const difference = largestDifference(
        results[`grad.${parameter}`]!,
        g.expected.get(`lora.grad.${parameter}`)!,
      );
      expect(difference, parameter).toBeLessThan(TOLERANCE);
    }
  });

  it('fails the comparison when labels are shifted by one', async () => {
    const shifted = { ...g.unpadded, rows: g.unpadded.rows.map((row) => row - 1) };
    const results = await gradients(trainedParameters(), shifted, Object.fromEntries(g.parameters));
    expect(Math.abs((results.loss!.data[0] as number) - g.unpadded.loss)).toBeGreaterThan(0.01);
  });
});
