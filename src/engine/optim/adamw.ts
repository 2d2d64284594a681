/** @file AdamW (arXiv 1711.05101) with clipping by global norm, as graphs over slices of flat buffers, in place. */
import { compile } from '../onnx/program.ts';
import { add, div, input, mul, reduceSum, sqrt, sub } from '../ops/operators.ts';
import { createSession, scalar } from '../runtime/session.ts';
import type { FlatParameters } from './flat-parameters.ts';

/** Numbers of AdamW; PyTorch's names and defaults, except for the decay. */
export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  /** Decoupled weight decay; 0.025 in the reference code. */
  readonly weightDecay?: number;
  /** Largest global gradient norm; gradients above it are scaled down. */
  readonly maxGradientNorm?: number;
  readonly threads?: number;
}

export interface Optimizer extends AsyncDisposable {
  /** √Σ g², summed in f64 over slices. */
  gradientNorm(parameters: FlatParameters): Promise<number>;
  /**
   * Updates weights and moments in place by the gradients.
   * @param step 1 for the first update; bias correction depends on it
   * @param learningRate of this step
   */
  update(parameters: FlatParameters, step: number, learningRate: number, gradientNorm: number): Promise<void>;
}

/** Elements of one run: few enough that temporaries stay in the cache, many enough that calls cost nothing (measured). */
const SLICE = 1 << 19;

/** Squares are summed by rows of so many, then over rows: one long sum in f32 loses the fifth digit. */
const NORM_COLUMNS = [512, 16, 1];

/**
 * AdamW as PyTorch computes it (torch.optim.AdamW, `foreach` form):
 * $$ w ← w(1 − ηλ) − \frac{η}{1 − β_1^t}\, m / (\sqrt{v} / \sqrt{1 − β_2^t} + ε) $$
 */
export async function createAdamW(options: AdamWOptions = {}): Promise<Optimizer> {
  const {
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon = 1e-8,
    weightDecay = 0.025,
    maxGradientNorm = 1,
    threads,
  } = options;
  const limits = threads === undefined ? {} : { threads };
  const norm = await createSession(squaredNormProgram(), limits);
  const update = await createSession(updateProgram(beta1, beta2, epsilon), limits);
  return {
    gradientNorm: async ({ gradients }) => {
      let total = 0;
      for (let start = 0; start < gradients.length; start += SLICE) {
        const data = gradients.subarray(start, start + SLICE);
        const columns = NORM_COLUMNS.find((count) => data.length % count === 0)!;
        const shape = [data.length / columns, columns];
        const { sum } = await norm.run({ gradient: { data, shape } });
        total += sum!.data[0] as number;
      }
      return Math.sqrt(total);
    },
    update: async (parameters, step, learningRate, gradientNorm) => {
      // clip_grad_norm_ adds 1e-6 to the norm.
      const clip = scalar(Math.min(1, maxGradientNorm / (gradientNorm + 1e-6)));
      const stepSize = scalar(learningRate / (1 - beta1 ** step));
      const correction = scalar(1 / Math.sqrt(1 - beta2 ** step));
      for (const [start, end, decay] of [
        [0, parameters.decayed, scalar(1 - learningRate * weightDecay)],
        [parameters.decayed, parameters.size, scalar(1)],
      ] as const) {
        for (let at = start; at < end; at += SLICE) {
          const part = (buffer: Float32Array) => {
            const data = buffer.subarray(at, Math.min(end, at + SLICE));
            return { data, shape: [data.length] };
          };
          const weight = part(parameters.weights);
          const first = part(parameters.firstMoment);
          const second = part(parameters.secondMoment);
          const gradient = part(parameters.gradients);
          await update.run(
            { weight, first, second, gradient, clip, stepSize, correction, decay },
            { newWeight: weight, newFirst: first, newSecond: second },
          );
        }
      }
    },
    [Symbol.asyncDispose]: async () => {
      await norm[Symbol.asyncDispose]();
      await update[Symbol.asyncDispose]();
    },
  };
}

function squaredNormProgram() {
  const gradient = input('gradient', 'f32', ['R', 'C']);
  return compile({ sum: reduceSum(reduceSum(mul(gradient, gradient), [1]), [0]) });
}

function updateProgram(beta1: number, beta2: number, epsilon: number) {
  const [weight, first, second, gradient] = ['weight', 'first', 'second', 'gradient'].map((name) =>
    input(name, 'f32', ['N']),
  ) as [
    ReturnType<typeof input>,
    ReturnType<typeof input>,
    ReturnType<typeof input>,
    ReturnType<typeof input>,
  ];
  const clipped = mul(gradient, input('clip', 'f32', []));
  const newFirst = add(mul(first, beta1), mul(clipped, 1 - beta1));
  const newSecond = add(mul(second, beta2), mul(mul(clipped, clipped), 1 - beta2));
  const scale = add(mul(sqrt(newSecond), input('correction', 'f32', [])), epsilon);
  const movement = mul(div(newFirst, scale), input('stepSize', 'f32', []));
  const newWeight = sub(mul(weight, input('decay', 'f32', [])), movement);
  return compile({ newWeight, newFirst, newSecond });
}
