/** @file Every architecture against transformers and PEFT (tests/golden/make/tiny_llama.py, tiny_decoders.py). */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { vjp } from '../../../src/engine/autodiff/vjp.ts';
import {
  frozenParameters,
  type LoraOptions,
  loraParameters,
  type ParameterSource,
  trainedParameters,
} from '../../../src/engine/models/parameters.ts';
import { createPasses, openSession, type Passes } from '../../../src/engine/models/pass.ts';
import { architectureOf, parseDecoderConfig } from '../../../src/engine/models/registry.ts';
import { input, mul, neg, reduceSum, selectedLogProbability } from '../../../src/engine/ops/operators.ts';
import type { Value } from '../../../src/engine/ops/value.ts';
import { type HostTensor, type Session, scalar } from '../../../src/engine/runtime/session.ts';
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

const integers = (values: readonly number[]): HostTensor => ({
  data: BigInt64Array.from(values, BigInt),
  shape: [values.length],
});

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
    lora: json.lora as LoraOptions,
    unpadded: json.unpadded as Tokens,
    padded: json.padded as { right: Tokens & { realRows: number[] }; left: Tokens & { realRows: number[] } },
    expected: await readAll(expectedFile),
    parameters: await readAll(weights),
    adapter: await readAll(await openSafetensors(`${golden}/${name}/adapter/adapter_model.safetensors`)),
    weights,
    config: parseDecoderConfig(JSON.parse(readFileSync(path, 'utf8')), path),
  };
}

describe.each([
  'tiny-llama',
  'tiny-llama-tied',
  'tiny-llama3',
  'tiny-qwen2',
  'tiny-qwen3',
  'tiny-gemma3',
  'tiny-gpt2',
])('decoder %s', async (name) => {
  const g = await openGolden(name);
  const model = { config: g.config, architecture: architectureOf(g.config), weights: g.weights };

  const sessions = new Map<string, Promise<{ session: Session; passes: Passes }>>();
  afterAll(async () => {
    for (const made of sessions.values()) await (await made).session[Symbol.asyncDispose]();
  });

  /** One session for each source of parameters: its logits, and where something is trained the loss and all gradients. */
  function compiled(kind: string, source: () => ParameterSource) {
    const make = async () => {
      const from = source();
      const passes = createPasses(model, from, { recompute: kind.endsWith('recomputed') });
      const logits = passes.logits('x', 'T');
      const outputs: Record<string, Value> = { logits };
      if (from.trainable.size > 0) {
        const selected = selectedLogProbability(logits, input('targets', 'i64', ['S']));
        outputs.loss = mul(reduceSum(neg(selected), [0]), input('share', 'f32', []));
        const gradients = vjp(outputs.loss, [...from.trainable.values()]);
        [...from.trainable.keys()].forEach((name, i) => {
          outputs[`grad.${name}`] = gradients[i]!;
        });
      }
      return { session: await openSession(model, outputs, { threads: 1 }), passes };
    };
    const made = sessions.get(kind) ?? make();
    sessions.set(kind, made);
    return made;
  }
  const sources = {
    frozen: frozenParameters,
    trained: trainedParameters,
    recomputed: trainedParameters,
    lora: () => loraParameters(g.lora),
    'lora, recomputed': () => loraParameters(g.lora),
  };
  const parameters = Object.fromEntries(g.parameters);
  const values = {
    frozen: {},
    trained: parameters,
    recomputed: parameters,
    lora: Object.fromEntries(g.adapter),
    'lora, recomputed': Object.fromEntries(g.adapter),
  };

  async function logitsOf(kind: keyof typeof sources, tokens: Tokens, rows: readonly number[]) {
    const { session, passes } = await compiled(kind, sources[kind]);
    const unused = { targets: integers(rows.map(() => 0)), share: scalar(0) };
    const feeds = { ...passes.feeds({ x: passOf(tokens, rows) }), ...unused, ...values[kind] };
    return (await session.run(feeds, {}, ['logits'])).logits!;
  }

  async function gradients(kind: Exclude<keyof typeof sources, 'frozen'>, tokens: Tokens) {
    const { session, passes } = await compiled(kind, sources[kind]);
    const loss = { targets: integers(tokens.targets), share: scalar(1 / tokens.rows.length) };
    return session.run({ ...passes.feeds({ x: passOf(tokens, tokens.rows) }), ...loss, ...values[kind] });
  }

  const everyRow = (tokens: Tokens) => tokens.ids.flat().map((_, i) => i);

  it('gives the logits of transformers without padding', async () => {
    const logits = await logitsOf('frozen', g.unpadded, everyRow(g.unpadded));
    expect(largestDifference(logits, g.expected.get('unpadded.logits')!)).toBeLessThan(TOLERANCE);
  });

  it.each(['left', 'right'] as const)(
    'gives the logits of transformers with padding on the %s',
    async (side) => {
      const logits = await logitsOf('frozen', g.padded[side], g.padded[side].realRows);
      const expected = g.expected.get(`padded.${side}.logits`)!;
      expect(largestDifference(logits, expected)).toBeLessThan(TOLERANCE);
    },
  );

  it.each([
    ['trained', 'unpadded'],
    ['trained', 'left'],
    ['trained', 'right'],
    ['recomputed', 'right'],
  ] as const)('gives the gradients of all parameters, %s, %s', async (kind, which) => {
    const tokens = which === 'unpadded' ? g.unpadded : g.padded[which];
    const results = await gradients(kind, tokens);
    expect(results.loss!.data[0]).toBeCloseTo(tokens.loss, 5);
    const prefix = which === 'unpadded' ? 'grad.' : 'padded.grad.';
    for (const parameter of g.parameters.keys()) {
      const expected = g.expected.get(prefix + parameter)!;
      const difference = largestDifference(results[`grad.${parameter}`]!, expected);
      expect(difference, parameter).toBeLessThan(TOLERANCE);
    }
  });

  it.each(['lora', 'lora, recomputed'] as const)(
    'gives the logits and gradients of PEFT: %s',
    async (kind) => {
      const logits = await logitsOf(kind, g.unpadded, everyRow(g.unpadded));
      expect(largestDifference(logits, g.expected.get('lora.logits')!)).toBeLessThan(TOLERANCE);
      const results = await gradients(kind, g.unpadded);
      for (const parameter of g.adapter.keys()) {
        const expected = g.expected.get(`lora.grad.${parameter}`)!;
        const difference = largestDifference(results[`grad.${parameter}`]!, expected);
        expect(difference, parameter).toBeLessThan(TOLERANCE);
      }
    },
  );

  it('fails the comparison when labels are shifted by one', async () => {
    const shifted = { ...g.unpadded, rows: g.unpadded.rows.map((row) => row - 1) };
    const { loss } = await gradients('trained', shifted);
    expect(Math.abs((loss!.data[0] as number) - g.unpadded.loss)).toBeGreaterThan(0.01);
  });
});
