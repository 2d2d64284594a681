/** @file A process that exits with code 7 while its compute thread is in the middle of a pass: `node --import tsx exit-child.ts`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { compile } from '../../src/engine/onnx/program.ts';
import { input, matmul, mul } from '../../src/engine/ops/operators.ts';
import { openComputeThread } from '../../src/engine/runtime/compute-thread.ts';

const thread = openComputeThread();
let y = input('x', 'f32', [768, 768]);
for (let i = 0; i < 16; i++) y = mul(matmul(y, y), 1e-3);
const session = await thread.createSession(compile({ y }), { threads: 1 });
const running = session.run({ x: { data: new Float32Array(768 * 768), shape: [768, 768] } });
running.catch(() => {});
await sleep(100);
process.exit(7);
