/** @file Which device ran each node of the sessions of a model, by ONNX Runtime's own profile. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Model } from '../../src/engine/models/model.ts';
import { createSession } from '../../src/engine/runtime/session.ts';

/** A node that ran, once for each time that it did. */
export interface Placement {
  readonly op: string;
  /** Such as CPUExecutionProvider. */
  readonly provider: string;
  readonly outputBytes: number;
}

/**
 * Runs `work` over a model whose sessions are profiled, and says where their nodes ran.
 * @param work disposes of all sessions that it opens: profiles are written then
 */
export async function placementsOf<M extends Pick<Model, 'thread'>>(
  model: M,
  work: (profiled: M) => Promise<unknown>,
): Promise<Placement[]> {
  const folder = await mkdtemp(join(tmpdir(), 'nextquill-profile-'));
  let sessions = 0;
  const thread: Model['thread'] = {
    createSession: (program, options) =>
      createSession(program, { ...options, profile: join(folder, `${sessions++}`) }),
    allocate: () => Promise.reject(new Error('placements: no memory beside sessions')),
    keep: () => () => {},
    isAlive: () => true,
  };
  await work({ ...model, thread });
  const placements: Placement[] = [];
  for (const name of await readdir(folder)) {
    const events = JSON.parse(await readFile(join(folder, name), 'utf8')) as {
      cat: string;
      args?: { op_name?: string; provider?: string; output_size?: string };
    }[];
    for (const { cat, args } of events)
      if (cat === 'Node' && args?.provider !== undefined)
        placements.push({
          op: args.op_name!,
          provider: args.provider,
          outputBytes: Number(args.output_size),
        });
  }
  await rm(folder, { recursive: true });
  return placements;
}
