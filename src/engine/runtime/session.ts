/** @file Owns ONNX Runtime sessions: typed, named feeds and fetches, and the options that were measured to matter. */
import { channel } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import * as ort from 'onnxruntime-node';
import type { Device } from '../../base/device.ts';
import { EngineError, ShapeError } from '../../base/errors.ts';
import { checkThreads } from '../../base/threads.ts';
import { NO_COPIES, type Program } from '../onnx/program.ts';
import { evaluateDim } from '../ops/dimension.ts';
import { printType, type TensorType } from '../ops/value.ts';

/** Numbers on the host: f32 or i64 (bool does not leave a graph). */
export interface HostTensor {
  readonly data: Float32Array | BigInt64Array;
  readonly shape: readonly number[];
}

/** A tensor in memory of another thread, where sessions run: see compute-thread.ts. */
export interface ResidentTensor {
  readonly memory: number;
  readonly part: number;
  readonly start: number;
  readonly shape: readonly number[];
}

/** What a graph is given: numbers, or where they lie. */
export type Feed = HostTensor | ResidentTensor;

export interface SessionOptions {
  /** Folder that external weights are mapped from. */
  readonly weightsFolder?: string;
  /** Threads of one operator; the machine's cores by default. Part of what a run repeats bit for bit under. */
  readonly threads?: number;
  /**
   * Start of a file's path: when the session is disposed, ONNX Runtime writes which node ran where, for how long and into how
   * many bytes, to that path with a time and .json behind it.
   */
  readonly profile?: string;
}

/** A compiled graph ready to run. */
export interface Session extends AsyncDisposable {
  readonly program: Program;
  /**
   * Runs the graph.
   * @param feeds one tensor for each input of the program; read, not copied
   * @param into tensors that outputs are written into in place; may share memory with feeds
   * @param wanted names of the outputs to compute; all by default
   * @returns the outputs that lie in memory of this thread
   * @throws {ShapeError} naming the input when a feed is missing or does not fit
   */
  run(
    feeds: Readonly<Record<string, Feed>>,
    into?: Readonly<Record<string, Feed>>,
    wanted?: readonly string[],
  ): Promise<Record<string, HostTensor>>;
}

/** What the channel `nextquill:session-opening` tells. */
export interface SessionOpening {
  readonly state: 'opening' | 'open';
  /** Size of the graph, without the weights beside it. */
  readonly bytes: number;
}

/**
 * Told before a session opens: ONNX Runtime then works for up to minutes on this thread, in which nothing else is heard or
 * drawn. A channel of Node rather than an option, since sessions open deep below whoever talks to people.
 */
const sessionOpening = channel('nextquill:session-opening');

export const tellOpening = (state: SessionOpening['state'], { bytes }: Program): void =>
  sessionOpening.publish({ state, bytes: bytes.byteLength } satisfies SessionOpening);

/**
 * A session over `program`, on the device that it was compiled for. What a graphics card does not compute, the processor does.
 * @throws {EngineError} `engine/session` when ONNX Runtime refuses the graph, `engine/device` when the device is not there
 * @throws {ConfigError} for a number of threads that would hang it
 */
export async function createSession(program: Program, options: SessionOptions = {}): Promise<Session> {
  const { weightsFolder, threads, profile } = options;
  const { device, isPacked } = program;
  checkThreads(threads);
  // Packed copies of frozen weights make a run over many tokens about 5 % faster, and take their size in memory; without them
  // integer products are computed in f32.
  const session: Record<string, string> = isPacked ? {} : { disable_prepacking: '1' };
  if (weightsFolder !== undefined) session.model_external_initializers_file_folder_path = weightsFolder;
  tellOpening('opening', program);
  await setImmediate();
  let native: ort.InferenceSession;
  try {
    native = await ort.InferenceSession.create(program.bytes, {
      executionProviders: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
      graphOptimizationLevel: 'all',
      // One huge block a run otherwise: a third of the memory, and large swings in time.
      enableMemPattern: false,
      logSeverityLevel: 3,
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
      extra: {
        session,
        optimization: { disable_specified_optimizers: unusedOptimisers(device) },
      },
    });
  } catch (cause) {
    if (device !== 'cpu') throw deviceError(device, cause);
    throw new EngineError(`session: ONNX Runtime refused the graph: ${messageOf(cause)}`, {
      code: 'engine/session',
      hint: 'Check that the weights file is whole.',
      cause,
    });
  }
  tellOpening('open', program);
  return {
    program,
    run: async (given, places = {}, wanted = [...program.outputs.keys()]) => {
      const [feeds, into] = [onThisThread(given), onThisThread(places)];
      const sizes = symbolSizes(program.inputs, feeds);
      const inputs: Record<string, ort.Tensor> = {};
      for (const name of program.inputs.keys()) inputs[name] = toNative(feeds[name]!);
      // Every buffer is ours: onnxruntime-node would copy each output that it hands back, also one that we gave.
      const tensors: Record<string, HostTensor> = {};
      const outputs: Record<string, ort.Tensor | null> = { [NO_COPIES]: null };
      for (const name of wanted) {
        tensors[name] = into[name] ?? emptyTensor(program.outputs.get(name)!, sizes);
        outputs[name] = toNative(tensors[name]);
      }
      try {
        await native.run(inputs, outputs);
      } catch (cause) {
        // The run is over and the buffers are written: this is the conversion that we do not want.
        if (!messageOf(cause).includes(NO_COPIES_MESSAGE))
          throw new EngineError(`run: ${messageOf(cause)}`, { code: 'engine/run', cause });
      }
      return tensors;
    },
    [Symbol.asyncDispose]: async () => {
      if (profile !== undefined) native.endProfiling();
      await native.release();
    },
  };
}

/**
 * Optimisers of ONNX Runtime that are left out. Common subexpressions would merge what is computed again on purpose with what was
 * computed before. Constants need no folding on the processor: there are few, and looking for them takes an eighth of the time
 * that a large graph takes to open, for steps that are no faster (measured). A card would compute them at every run.
 */
const unusedOptimisers = (device: Device): string =>
  [
    'CommonSubexpressionElimination',
    ...(device === 'cpu' ? ['ConstantFolding', 'ConstantSharing'] : []),
  ].join(';');

/** @throws {EngineError} for a tensor in memory of another thread */
function onThisThread(tensors: Readonly<Record<string, Feed>>): Readonly<Record<string, HostTensor>> {
  for (const [name, tensor] of Object.entries(tensors))
    if (!('data' in tensor))
      throw new EngineError(`${name}: expected memory of this thread, got memory of another`, {
        code: 'engine/memory',
      });
  return tensors as Readonly<Record<string, HostTensor>>;
}

function deviceError(device: Device, cause: unknown): EngineError {
  const isCuda = device === 'cuda';
  // Paths of ONNX Runtime's sources come first; its reason is last.
  const reason = messageOf(cause)
    .trim()
    .split(/\bwas false\. |\n/)
    .at(-1)!;
  return new EngineError(
    `device ${device}: expected ${isCuda ? 'ONNX Runtime’s CUDA provider and a card' : 'a graphics card that it can use'}, got: ${reason}`,
    {
      code: 'engine/device',
      hint: `Set the device to cpu, or ${isCuda ? 'install ONNX Runtime’s CUDA provider and CUDA' : 'install the driver of the graphics card (on Linux Vulkan’s: libvulkan1)'}.`,
      cause,
    },
  );
}

/** A scalar feed. */
export function scalar(value: number): HostTensor {
  return { data: Float32Array.of(value), shape: [] };
}

/** What onnxruntime-node says of an output that is no tensor, after the run. */
const NO_COPIES_MESSAGE = 'Non tensor type is temporarily not supported';

function emptyTensor({ dtype, shape }: TensorType, sizes: ReadonlyMap<string, number>): HostTensor {
  const dims = shape.map((dim) => evaluateDim(dim, sizes));
  const length = dims.reduce((a, b) => a * b, 1);
  return { data: dtype === 'i64' ? new BigInt64Array(length) : new Float32Array(length), shape: dims };
}

function toNative(tensor: HostTensor): ort.Tensor {
  const dims = [...tensor.shape];
  return tensor.data instanceof BigInt64Array
    ? new ort.Tensor('int64', tensor.data, dims)
    : new ort.Tensor('float32', tensor.data, dims);
}

/** The sizes of the symbols of all inputs. @throws {ShapeError} when a feed is missing or does not fit */
export function symbolSizes(
  inputs: ReadonlyMap<string, TensorType>,
  feeds: Readonly<Record<string, HostTensor>>,
): ReadonlyMap<string, number> {
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
    for (const [name, type] of inputs) {
      const tensor = feeds[name];
      if (tensor === undefined)
        throw new ShapeError(`${name}: expected a feed of ${printType(type)}, got none`, {
          code: 'shape/feed',
        });
      fits(name, type, tensor, pass === 'bind');
    }
  }
  return symbols;
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
