/** @file A peer process that takes training steps on request: one JSON object a line, the same for ours and PyTorch's. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { MemoryRecord } from './memory.ts';

/** What a peer says when it is ready. */
export interface Ready {
  readonly ready: true;
  readonly versions?: Readonly<Record<string, string>>;
  readonly trainable: number;
}

export interface StepAnswer {
  readonly seconds: number;
  readonly loss: number;
  readonly gradientNorm: number;
  /** Of all threads. */
  readonly cpuSeconds?: number;
  /** Of a side that shares what prompts begin with alike. */
  readonly tokensComputed?: number;
  readonly tokensSaved?: number;
}

export interface Peer {
  readonly ready: Ready;
  step(): Promise<StepAnswer>;
  memory(): Promise<MemoryRecord>;
  quit(): Promise<void>;
}

/** Starts a peer and waits until it is ready. @throws {Error} with the peer's own words when it fails */
export async function startPeer(command: string, args: readonly string[]): Promise<Peer> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors = `${errors}${chunk}`.slice(-2000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      errors += String(error);
      resolve();
    });
    child.once('close', () => resolve());
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async <T>(): Promise<T> => {
    const line = await lines.next();
    if (line.done) {
      await ended;
      throw new Error(`${command}: the peer ended without an answer: ${errors.trim()}`);
    }
    const parsed = JSON.parse(line.value) as T & { error?: string };
    if (parsed.error !== undefined) throw new Error(`${command}: ${parsed.error}`);
    return parsed;
  };
  const ask = <T>(request: string): Promise<T> => {
    child.stdin.write(`${request}\n`);
    return answer<T>();
  };
  return {
    ready: await answer<Ready>(),
    step: () => ask<StepAnswer>('step'),
    memory: () => ask<MemoryRecord>('memory'),
    quit: async () => {
      child.stdin.end('quit\n');
      await ended;
    },
  };
}
