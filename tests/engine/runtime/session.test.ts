/** @file Sessions: results in the caller's buffers and nowhere else, errors of a run told apart from its end. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../../src/engine/onnx/program.ts';
import { add, gatherRows, input, mul } from '../../../src/engine/ops/operators.ts';
import { createSession } from '../../../src/engine/runtime/session.ts';

describe('a session', () => {
  it('writes results into the buffers it is given, also over its own inputs', async () => {
    const x = input('x', 'f32', ['N']);
    await using session = await createSession(compile({ y: mul(x, 3), z: add(x, 1) }), { threads: 1 });
    const data = Float32Array.of(1, 2);
    const tensor = { data, shape: [2] };
    const results = await session.run({ x: tensor }, { y: tensor });
    expect(results.y!.data).toBe(data);
    expect([...data]).toEqual([3, 6]);
    expect(results.z).toEqual({ data: Float32Array.of(2, 3), shape: [2] });
  });

  it('makes no copy of a result', async () => {
    // onnxruntime-node copies every output that it hands back, also into a buffer of ours: 40 MB a run here.
    const x = input('x', 'f32', ['N']);
    await using session = await createSession(compile({ y: mul(x, 2) }), { threads: 1 });
    const tensor = { data: new Float32Array(10_000_000).fill(1), shape: [10_000_000] };
    await session.run({ x: tensor }, { y: tensor });
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 5; i++) await session.run({ x: tensor }, { y: tensor });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40e6);
    expect(tensor.data[0]).toBe(64);
  });

  it('still fails when a run fails', async () => {
    const picked = gatherRows(input('table', 'f32', [2, 1]), input('rows', 'i64', ['S']));
    await using session = await createSession(compile({ picked }), { threads: 1 });
    const table = { data: Float32Array.of(5, 6), shape: [2, 1] };
    const rows = (row: bigint) => ({ data: BigInt64Array.of(row), shape: [1] });
    await expect(session.run({ table, rows: rows(9n) })).rejects.toMatchObject({ code: 'engine/run' });
    expect((await session.run({ table, rows: rows(1n) })).picked!.data[0]).toBe(6);
  });
});
