/** @file The starting model's pass without history, in a session of its own: what the anchor holds the trained model to. */
import type { Model } from '../../engine/models/model.ts';
import { createPasses, openSession, parameterSource } from '../../engine/models/pass.ts';
import type { HostTensor } from '../../engine/runtime/session.ts';
import { passRows } from '../prompts/collate.ts';
import type { PassBatch } from './batch.ts';

/** The frozen model; its weights are mapped, so that with LoRA they are in memory once. */
export interface AnchorPass extends AsyncDisposable {
  /** Logits at the response tokens of a pass, f32[S, V]. */
  logits(batch: PassBatch): Promise<HostTensor>;
}

/** Cost: one forward pass a microbatch; f32[S, V] on the host. */
export async function createAnchorPass(model: Model, threads?: number): Promise<AnchorPass> {
  const { source, feeds } = parameterSource({}, model);
  const passes = createPasses(model, source);
  const session = await openSession(
    model,
    { logits: passes.logits('anchor', 'T') },
    threads === undefined ? {} : { threads },
  );
  return {
    logits: async (batch) => {
      const results = await session.run({ ...feeds, ...passes.feeds(passRows({ anchor: batch })) });
      return results.logits!;
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}
