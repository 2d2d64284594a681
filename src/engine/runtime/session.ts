/** @file Owns ONNX Runtime sessions: typed, named feeds and fetches, and the options that were measured to matter. */
import * as ort from 'onnxruntime-node';
import { EngineError, ShapeError } from '../../base/errors.ts';
import type { Program } from '../onnx/program.ts';
import { evaluateDim } from '../ops/dimension.ts';
import { printType, type TensorType } from '../ops/value.ts';

/** Numbers on the host: f32 or i64 (bool does not leave a graph). */
export interface HostTensor {
  readonly data: Float32Array | BigInt64Array;
  readonly shape: readonly number[];
}

export interface SessionOptions {
  /** Folder that external weights are mapped from. */
  readonly weightsFolder?: string;
  /** Threads of one operator; the machine's cores by default. Part of what a run repeats bit for bit under. */
  readonly threads?: number;
  /** Copies and packs frozen weights for speed: about 5 % faster, at the price of their size in memory. */
  readonly packWeights?: boolean;
  /** ONNX Runtime's execution providers, tried in order; `cpu` by default. */
  readonly providers?: readonly string[];
}

/** A compiled graph ready to run. */
export interface Session extends AsyncDisposable {
  readonly program: Program;
  /**
   * Runs the graph.
   * @param feeds one tensor for each input of the program; read, not copied
   * @param into tensors that outputs are written into in place; may share memory with feeds
   * @param wanted names of the outputs to compute; all by default
   * @throws {ShapeError} naming the input when a feed is missing or does not fit
   */
  run(
    feeds: Readonly<Record<string, HostTensor>>,
    into?: Readonly<Record<string, HostTensor>>,
    wanted?: readonly string[],
  ): Promise<Record<string, HostTensor>>;
}

/**
 * A session over `program`.
 * @throws {EngineError} when ONNX Runtime refuses the graph or the provider is not there
 */
export async function createSession(program: Program, options: SessionOptions = {}): Promise<Session> {
  const { weightsFolder, threads, packWeights = false, providers = ['cpu'] } = options;
  const session: Record<string, string> = { disable_prepacking: packWeights ? '0' : '1' };
  if (weightsFolder !== undefined) session.model_external_initializers_file_folder_path = weightsFolder;
  let native: ort.InferenceSession;
  try {
    native = await ort.InferenceSession.create(program.bytes, {
      executionProviders: [...providers],
      graphOptimizationLevel: 'all',
      // One huge block a run otherwise: a third of the memory, and large swings in time.
      enableMemPattern: false,
      logSeverityLevel: 3,
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      extra: {
        session,
        // It would merge what is computed again on purpose with what was computed before.
        optimization: { disable_specified_optimizers: 'CommonSubexpressionElimination' },
      },
    });
  } catch (cause) {
    throw new EngineError(`session: ONNX Runtime refused the graph: ${messageOf(cause)}`, {
      code: 'engine/session',
      hint: `Check that the provider (${providers.join(', ')}) is available and the weights file is whole.`,
      cause,
    });
  }
  return {
    program,
    run: async (feeds, into = {}, wanted = [...program.outputs.keys()]) => {
      checkFeeds(program, feeds);
      const inputs: Record<string, ort.Tensor> = {};
      for (const name of program.inputs.keys()) inputs[name] = toNative(feeds[name]!);
      const outputs: Record<string, ort.Tensor | null> = {};
      for (const name of wanted) outputs[name] = into[name] === undefined ? null : toNative(into[name]);
      let results: ort.InferenceSession.OnnxValueMapType;
      try {
        results = await native.run(inputs, outputs);
      } catch (cause) {
        throw new EngineError(`run: ${messageOf(cause)}`, { code: 'engine/run', cause });
      }
      const tensors: Record<string, HostTensor> = {};
      for (const name of wanted) {
        const result = results[name] as ort.Tensor;
        tensors[name] = into[name] ?? { data: result.data as Float32Array, shape: result.dims };
      }
      return tensors;
    },
    [Symbol.asyncDispose]: () => native.release(),
  };
}

/** A scalar feed. */
export function scalar(value: number): HostTensor {
  return { data: Float32Array.of(value), shape: [] };
}

function toNative(tensor: HostTensor): ort.Tensor {
  const dims = [...tensor.shape];
  return tensor.data instanceof BigInt64Array
    ? new ort.Tensor('int64', tensor.data, dims)
    : new ort.Tensor('float32', tensor.data, dims);
}

function checkFeeds(program: Program, feeds: Readonly<Record<string, HostTensor>>): void {
  const symbols = new Map<string, number>();
  const fits = (name: string, type: TensorType, tensor: HostTensor, bind: boolean) => {
    const dtype = tensor.data instanceof BigInt64Array ? 'i64' : 'f32';
    let ok = dtype === type.dtype && tensor.shape.length === type.shape.length;
    type.shape.forEach((dim, axis) => {
      const size = tensor.shape[axis]!;
      if (typeof dim === 'string' && !/[*+]/.test(dim) && !symbols.has(dim)) symbols.set(dim, size);
      else if (!bind || typeof dim === 'number') ok &&= evaluateDim(dim, symbols) === size;
    });
    ok &&= tensor.shape.reduce((a, b) => a * b, 1) === tensor.data.length;
    if (ok) return;
    const values = [...symbols].map(([symbol, value]) => `${symbol} = ${value}`).join(', ');
    throw new ShapeError(
      `${name}: expected ${printType(type)}${values === '' ? '' : ` where ${values}`}, got ${dtype}[${tensor.shape.join(', ')}] of ${tensor.data.length} numbers`,
      { code: 'shape/feed' },
    );
  };
  for (const pass of ['bind', 'check']) {
    for (const [name, type] of program.inputs) {
      const tensor = feeds[name];
      if (tensor === undefined)
        throw new ShapeError(`${name}: expected a feed of ${printType(type)}, got none`, {
          code: 'shape/feed',
        });
      fits(name, type, tensor, pass === 'bind');
    }
  }
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
