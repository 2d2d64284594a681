/** @file Checks gradients against central differences, with an error bound that knows f32. */
import type { Device } from '../../base/device.ts';
import { compile } from '../onnx/program.ts';
import { mul, reduceSum } from '../ops/operators.ts';
import type { Value } from '../ops/value.ts';
import { createSession, type HostTensor } from '../runtime/session.ts';
import { vjp } from './vjp.ts';

export interface GradientCheck {
  /** Largest |analytic − numeric| / (1 + |numeric|) over all elements of all variables. */
  readonly worst: number;
  /** Which element that is, such as `x[3]`. */
  readonly where: string;
  readonly checked: number;
}

/**
 * Compares `vjp` with central differences of Σ output ⊙ cotangent, summed in f64.
 * @param output any f32 expression
 * @param variables inputs to differentiate by, by their names in `feeds`
 * @param feeds values of all inputs, and of the input `cotangent` (of the output's shape)
 * @param options `step`: half the difference, relative to 1; 1e-3 balances f32 rounding against curvature
 */
export async function checkGradient(
  output: Value,
  variables: Readonly<Record<string, Value>>,
  cotangent: Value,
  feeds: Readonly<Record<string, HostTensor>>,
  { step = 1e-3, device = 'cpu' }: { readonly step?: number; readonly device?: Device } = {},
): Promise<GradientCheck> {
  const names = Object.keys(variables);
  const weighted = mul(output, cotangent);
  const loss = reduceSum(
    weighted,
    weighted.shape.map((_, axis) => axis),
  );
  const gradients = vjp(loss, Object.values(variables));
  const named = Object.fromEntries(names.map((name, i) => [`d${name}`, gradients[i]!]));
  await using session = await createSession(compile({ weighted, ...named }, undefined, device), {
    threads: 1,
  });
  const analytic = await session.run(feeds);
  const total = async (changed: Record<string, HostTensor>) => {
    const { weighted: terms } = await session.run(changed, {}, ['weighted']);
    return (terms!.data as Float32Array).reduce((sum, term) => sum + term, 0);
  };
  let worst = 0;
  let where = '';
  let checked = 0;
  for (const name of names) {
    const original = feeds[name]!;
    for (let i = 0; i < original.data.length; i++) {
      const shifted = async (by: number) => {
        const data = Float32Array.from(original.data as Float32Array);
        data[i]! += by;
        return { value: data[i]!, total: await total({ ...feeds, [name]: { ...original, data } }) };
      };
      const up = await shifted(step);
      const down = await shifted(-step);
      const numeric = (up.total - down.total) / (up.value - down.value);
      const error = Math.abs((analytic[`d${name}`]!.data[i] as number) - numeric) / (1 + Math.abs(numeric));
      checked++;
      if (!(error <= worst)) {
        worst = error;
        where = `${name}[${i}]`;
      }
    }
  }
  return { worst, where, checked };
}
