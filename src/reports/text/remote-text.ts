/** @file The server that scored, in words. */
import type { RemoteRecord } from '../../method/scoring/remote-passes.ts';

/** Such as `vllm at http://host/v1, by prompt_logprobs; answers to one prompt differ by up to 1.2e-3 nats a token`. */
export function remoteText({ url, kind, way, noise }: RemoteRecord): string {
  const spread =
    noise === undefined
      ? 'no prompt was asked for twice'
      : `answers to one prompt differ by up to ${noise.max.toExponential(1)} nats a token (95 % by up to ${noise.p95.toExponential(1)})`;
  return `${kind} at ${url}, by ${way}; ${spread}`;
}
