/**
 * @file Holds a device to the processor by one tiny training step. A provider can give the right loss with wrong gradients,
 * so gradients are compared number by number.
 */
import type { Device, DeviceChoice } from '../../base/device.ts';
import { EngineError } from '../../base/errors.ts';
import { randomStream } from '../../base/random.ts';
import { vjp } from '../autodiff/vjp.ts';
import { compile } from '../onnx/program.ts';
import { input, neg, reduceSum, selectedLogProbability } from '../ops/operators.ts';
import { createSession, type HostTensor } from '../runtime/session.ts';
import { trainedParameters } from './parameters.ts';
import { createPasses } from './pass.ts';
import { architectureOf, parseDecoderConfig } from './registry.ts';

/** The step's loss in nats and its gradient's norm, on the device and on the processor. */
export interface DeviceCheck {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly cpuLoss: number;
  readonly cpuGradientNorm: number;
  /** ‖g − g of the processor‖ / ‖g of the processor‖. */
  readonly gradientError: number;
  /** Whether the losses are within 1e-4 of each other, relatively, and the gradients within 1e-3. */
  readonly passed: boolean;
}

const MOST_LOSS_ERROR = 1e-4;
const MOST_GRADIENT_ERROR = 1e-3;

const shape = {
  model_type: 'llama',
  vocab_size: 32,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
};

/**
 * Runs the step on `device` and on the processor; no file is read.
 * @throws {EngineError} `engine/device` when the device is not there, `engine/run` when it cannot run the step
 */
export async function checkOnDevice(device: Device): Promise<DeviceCheck> {
  return compareSteps(await tinyStep(device), await tinyStep('cpu'));
}

/** A step's loss and all numbers of its gradients. */
interface Step {
  readonly loss: number;
  readonly gradients: readonly number[];
}

/** What a step on a device is beside the same one on the processor. */
export function compareSteps(there: Step, here: Step): DeviceCheck {
  const difference = there.gradients.map((value, i) => value - here.gradients[i]!);
  const cpuGradientNorm = norm(here.gradients);
  const gradientError = norm(difference) / cpuGradientNorm;
  const lossError = Math.abs(there.loss - here.loss) / Math.abs(here.loss);
  return {
    loss: there.loss,
    gradientNorm: norm(there.gradients),
    cpuLoss: here.loss,
    cpuGradientNorm,
    gradientError,
    passed: lossError <= MOST_LOSS_ERROR && gradientError <= MOST_GRADIENT_ERROR,
  };
}

/** The device that a choice comes to, and why, for those who are to know. */
export interface DeviceTaken {
  readonly device: Device;
  /** Why `auto` took it: the self-check passed, it did not, or there is nothing to check. Absent where it was named. */
  readonly because?: 'passed' | 'failed' | 'none';
  /** The error in the way of the graphics card. */
  readonly reason?: string;
}

/**
 * The device that is meant by a choice. A named one must be there; `auto` is WebGPU's where its self-check passes now.
 * @throws {EngineError} `engine/device` for a named device that is not there
 */
export async function takeDevice(choice: DeviceChoice): Promise<DeviceTaken> {
  if (choice === 'cpu') return { device: 'cpu' };
  if (choice !== 'auto') {
    const x = input('x', 'f32', ['N']);
    await using _session = await createSession(compile({ y: neg(x) }, undefined, choice), { threads: 1 });
    return { device: choice };
  }
  try {
    const { passed } = await checkOnDevice('webgpu');
    return passed ? { device: 'webgpu', because: 'passed' } : { device: 'cpu', because: 'failed' };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const because = error.code === 'engine/device' ? 'none' : 'failed';
    return { device: 'cpu', because, reason: error.message };
  }
}

async function tinyStep(device: Device): Promise<Step> {
  const config = parseDecoderConfig(shape, 'self-check');
  const source = trainedParameters();
  const passes = createPasses({ config, architecture: architectureOf(config), device }, source);
  const [batch, length] = [2, 7];
  const tokens = batch * length;
  const random = randomStream(0, 'device-check');
  const ids = (count: number) =>
    BigInt64Array.from({ length: count }, () => BigInt(random.integer(config.vocabularySize)));
  const logits = passes.logits('step', 'T');
  const loss = reduceSum(neg(selectedLogProbability(logits, input('targets', 'i64', ['S']))), [0]);
  const names = [...source.trainable.keys()];
  const gradients = vjp(loss, [...source.trainable.values()]);
  const outputs = { loss, ...Object.fromEntries(names.map((name, i) => [`d.${name}`, gradients[i]!])) };
  const weights = Object.fromEntries(
    [...source.trainable].map(([name, { shape: dims }]): [string, HostTensor] => {
      const size = (dims as number[]).reduce((a, b) => a * b, 1);
      const data = Float32Array.from({ length: size }, () => random.next() - 0.5);
      return [name, { data, shape: dims as number[] }];
    }),
  );
  const feeds = {
    ...weights,
    ...passes.feeds({
      step: {
        batch,
        length,
        tokenIds: ids(tokens),
        positionIds: BigInt64Array.from({ length: tokens }, (_, i) => BigInt(i % length)),
        // The second row is shorter.
        attentionMask: Float32Array.from({ length: tokens }, (_, i) => (i < tokens - 2 ? 1 : 0)),
        rows: BigInt64Array.of(2n, 3n, 4n, 8n, 9n),
      },
    }),
    targets: { data: ids(5), shape: [5] },
  };
  await using session = await createSession(compile(outputs, undefined, device), { threads: 1 });
  const results = await session.run(feeds);
  return {
    loss: results.loss!.data[0] as number,
    gradients: names.flatMap((name) => [...(results[`d.${name}`]!.data as Float32Array)]),
  };
}

const norm = (values: readonly number[]) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
