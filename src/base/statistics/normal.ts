/** @file The standard normal distribution: its probabilities and its quantiles, without tables of coefficients. */

/** Beyond this a double holds 0 or 1. */
const FAR = 8.5;

/** The density φ(z). */
function density(z: number): number {
  return Math.exp(-(z * z) / 2) / Math.sqrt(2 * Math.PI);
}

/**
 * The probability Φ(z) of a value at or below `z`, to 1e-15 absolute.
 *
 * $$ Φ(z) = 1/2 + φ(z) (z + z³/3 + z⁵/(3·5) + z⁷/(3·5·7) + …) $$
 *
 * The terms of the series have one sign, so nothing cancels.
 */
export function normalProbability(z: number): number {
  if (z > FAR) return 1;
  if (z < -FAR) return 0;
  let term = z;
  let sum = z;
  for (let odd = 3; Math.abs(term) > Math.abs(sum) * Number.EPSILON; odd += 2) {
    term *= (z * z) / odd;
    sum += term;
  }
  return 0.5 + density(z) * sum;
}

/**
 * The value z with Φ(z) = `probability`, by Newton's method.
 * @param probability in [0, 1]; −∞ and ∞ at its ends
 */
export function normalQuantile(probability: number): number {
  if (probability < 0.5) return -normalQuantile(1 - probability);
  if (probability >= 1) return Number.POSITIVE_INFINITY;
  // Φ is concave above 0, so steps from 0 come up to the root from below and never pass it.
  let z = 0;
  for (;;) {
    const next = z + (probability - normalProbability(z)) / density(z);
    if (!(next > z)) return z;
    z = next;
  }
}
