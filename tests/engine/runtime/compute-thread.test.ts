/** @file A thread that computes: the same numbers as here, memory that stays there, errors that come back, and this thread free meanwhile. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { EngineError, ShapeError } from '../../../src/base/errors.ts';
import { compile } from '../../../src/engine/onnx/program.ts';
import { add, input, matmul, mul } from '../../../src/engine/ops/operators.ts';
import { openComputeThread } from '../../../src/engine/runtime/compute-thread.ts';
import { createSession, type HostTensor } from '../../../src/engine/runtime/session.ts';

const thread = openComputeThread();
afterAll(() => thread[Symbol.asyncDispose]());

const numbers = (length: number, shape = [length]): HostTensor => ({
  data: Float32Array.from({ length }, (_, i) => i / 8),
  shape,
});

describe('a compute thread', () => {
  it('computes what this thread computes, and leaves feeds as they were', async () => {
    const value = input('x', 'f32', ['N']);
    const program = compile({ y: mul(value, 3), z: add(value, 1) });
    await using here = await createSession(program, { threads: 1 });
    await using there = await thread.createSession(program, { threads: 1 });
    const x = numbers(5);
    expect(await there.run({ x })).toEqual(await here.run({ x }));
    expect(await there.run({ x }, {}, ['z'])).toEqual({
      z: { data: Float32Array.from([1, 1.125, 1.25, 1.375, 1.5]), shape: [5] },
    });
    expect(x).toEqual(numbers(5));
  });

  it('reads and writes memory in place, with edits between runs in their order', async () => {
    const x = input('x', 'f32', ['N']);
    await using session = await thread.createSession(compile({ y: mul(x, 2), z: add(x, 0) }), { threads: 1 });
    const memory = await thread.allocate(2, 6);
    const all = (part: number) => session.run({ x: memory.view(part, 0, [6]) }, {}, ['z']);
    memory.edit([{ part: 1, start: 0, count: 6, fill: 1 }]);
    const view = memory.view(1, 2, [2]);
    await session.run({ x: view }, { y: view }, ['y']);
    const doubled = session.run({ x: view }, { y: view }, ['y']);
    memory.edit([{ part: 1, from: 2, to: 0, count: 2 }]);
    expect(await doubled).toEqual({});
    expect([...(await all(1)).z!.data]).toEqual([4, 4, 4, 4, 1, 1]);
    expect([...(await all(0)).z!.data]).toEqual([0, 0, 0, 0, 0, 0]);
    memory.release();
  });

  it('keeps feeds, by what they held when they were kept', async () => {
    const program = compile({ y: mul(input('x', 'f32', ['N']), 2) });
    await using session = await thread.createSession(program, { threads: 1 });
    const x = numbers(3);
    const drop = thread.keep({ x });
    x.data[0] = 100;
    expect([...(await session.run({ x })).y!.data]).toEqual([0, 0.25, 0.5]);
    drop();
    expect([...(await session.run({ x })).y!.data]).toEqual([200, 0.25, 0.5]);
  });

  it('throws what this thread throws', async () => {
    const program = compile({ y: mul(input('x', 'f32', ['N']), 2) });
    await using session = await thread.createSession(program, { threads: 1 });
    const wrong = session.run({ x: numbers(4, [2, 2]) });
    await expect(wrong).rejects.toBeInstanceOf(ShapeError);
    await expect(wrong).rejects.toMatchObject({ code: 'shape/feed' });
    await expect(thread.createSession(program, { threads: -1 })).rejects.toMatchObject({
      code: 'config/threads',
    });
    const huge = thread.allocate(1, 2 ** 50);
    await expect(huge).rejects.toBeInstanceOf(EngineError);
    await expect(huge).rejects.toMatchObject({ code: 'engine/memory' });
    const memory = await thread.allocate(1, 2);
    await using here = await createSession(program, { threads: 1 });
    await expect(here.run({ x: memory.view(0, 0, [2]) })).rejects.toMatchObject({ code: 'engine/memory' });
    expect([...(await session.run({ x: numbers(2) })).y!.data]).toEqual([0, 0.25]);
  });

  it('leaves this thread free while it computes', async () => {
    // A few products: in this thread none of the turns below would come before their end.
    let y = input('x', 'f32', [768, 768]);
    for (let i = 0; i < 12; i++) y = mul(matmul(y, y), 1e-3);
    await using session = await thread.createSession(compile({ y }), { threads: 1 });
    let isDone = false;
    const running = session.run({ x: numbers(768 * 768, [768, 768]) }).finally(() => {
      isDone = true;
    });
    let turns = 0;
    while (!isDone && turns < 1000) {
      await setImmediate();
      turns += 1;
    }
    expect(turns).toBeGreaterThan(100);
    await running;
  });

  it('ends when its work is done, and then refuses', async () => {
    const own = openComputeThread();
    const session = await own.createSession(compile({ y: mul(input('x', 'f32', ['N']), 2) }), { threads: 1 });
    const running = session.run({ x: numbers(2) });
    const ended = own[Symbol.asyncDispose]();
    expect([...(await running).y!.data]).toEqual([0, 0.25]);
    expect(own.isAlive()).toBe(true);
    await ended;
    expect(own.isAlive()).toBe(false);
    await expect(session.run({ x: numbers(2) })).rejects.toMatchObject({ code: 'engine/thread' });
  });
});

// Ended in the middle of a pass, ONNX Runtime's binding aborted the process.
it('a process that exits while its thread computes ends with the code that it asked for', async () => {
  const script = resolve(import.meta.dirname, '../../support/exit-child.ts');
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', script], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([7, '']);
});
