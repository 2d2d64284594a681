/** @file Which ONNX Runtime computes: part of what a run repeats bit for bit under. */
import { env } from 'onnxruntime-node';

/** Version of onnxruntime-node. */
export const runtimeVersion: string = env.versions.node ?? env.versions.common;
