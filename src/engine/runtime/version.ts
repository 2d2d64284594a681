/** @file Which ONNX Runtime computes, part of what a run repeats bit for bit under, and what it can compute on. */
import { env, listSupportedBackends } from 'onnxruntime-node';

/** Version of onnxruntime-node. */
export const runtimeVersion: string = env.versions.node ?? env.versions.common;

/** Execution providers: those whose libraries are in the package, and those that need more to be installed. */
export function runtimeProviders(): {
  readonly bundled: readonly string[];
  readonly notBundled: readonly string[];
} {
  const backends = listSupportedBackends();
  const names = (isBundled: boolean) =>
    backends.filter(({ bundled }) => bundled === isBundled).map(({ name }) => name);
  return { bundled: names(true), notBundled: names(false) };
}
