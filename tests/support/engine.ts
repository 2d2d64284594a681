/** @file Names of the engine that many tests use together. */
export { input } from '../../src/engine/ops/operators.ts';
export type { OpName, Value } from '../../src/engine/ops/value.ts';
