/** @file What our sides of benches hear on stdin and answer on stdout, by the protocol of pytorch_peer.py. */
import { createInterface } from 'node:readline';
import { memoryRecord } from './memory.ts';

export const say = (answer: object) => process.stdout.write(`${JSON.stringify(answer)}\n`);

/** Answers `step` and `memory`, each on a line, until `quit`. */
export async function answerCommands(step: () => Promise<object>): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const command = line.trim();
    if (command === 'quit') break;
    if (command === 'memory') say(memoryRecord());
    else if (command === 'step') say(await step());
    else if (command !== '')
      say({ error: `command: expected step, memory or quit, got ${JSON.stringify(command)}` });
  }
}

/** Runs a peer; what it fails of is its last answer. */
export async function runPeer(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    say({ error: String(error) });
    process.exitCode = 1;
  }
}
