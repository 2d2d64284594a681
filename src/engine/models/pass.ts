/**
 * @file Forward passes of a decoder within a graph: the parameters they run with, their inputs, their logits, and the
 * feeds of a run. Scoring, training and generation build the same passes.
 */
import { breathe, runWithPauses } from '../../base/breathe.ts';
import { ConfigError } from '../../base/errors.ts';
import { compiling } from '../onnx/program.ts';
import { input } from '../ops/operators.ts';
import { type Value, withScope } from '../ops/value.ts';
import { mappedQuantisedBase } from '../quantisation/layout.ts';
import { createSession, type HostTensor, type Session, type SessionOptions } from '../runtime/session.ts';
import { mappedWeights } from '../weights/mapped-weights.ts';
import { fullAttention } from './attention.ts';
import type { Model } from './model.ts';
import type { AdapterValues } from './model-worker.ts';
import { noiseFeeds, passNoise } from './noise.ts';
import { frozenParameters, loraParameters, type ParameterSource, trainedParameters } from './parameters.ts';
import { growingRotaryTables, rotaryInputs } from './rotary.ts';
import { checkTokens, queryBlocks, type TokenBatch, tokenFeeds, tokenInputs } from './token-inputs.ts';

/** Values that take the place of the model file's, or join them. */
export interface ParameterValues {
  /** LoRA matrices by PEFT's names, on the frozen file. */
  readonly adapter?: AdapterValues;
  /** All parameters by name, in place of the file's. */
  readonly trained?: Readonly<Record<string, HostTensor>>;
}

/** Where the parameters of a pass come from, and the feeds of those that are inputs of the graph. */
export function parameterSource(
  { adapter, trained }: ParameterValues,
  { quantised }: Pick<Model, 'quantised'>,
): {
  source: ParameterSource;
  feeds: Readonly<Record<string, HostTensor>>;
} {
  if (trained !== undefined && adapter === undefined) return { source: trainedParameters(), feeds: trained };
  const base = frozenParameters(quantised);
  if (adapter === undefined) return { source: base, feeds: {} };
  return { source: loraParameters(adapter.lora, { base }), feeds: adapter.tensors };
}

/** Tokens of one pass, and the flat positions b · T + t whose logits are asked for. */
export interface PassRows extends TokenBatch {
  readonly rows: BigInt64Array; // [S]
  /** What dropout draws from, for sources that drop. */
  readonly noise?: BigInt64Array; // [B · T]
}

/** The passes of one graph: they share parameters, rotary tables and the number of rows S whose logits are asked for. */
export interface Passes {
  /**
   * Declares a pass over padded sequences, with the inputs `name`.tokenIds, `name`.rows and so on.
   * @param length symbol of its padded length, one of its own for each pass
   * @param parameters of this pass; those of all by default
   * @returns f32[S, V]: logits at its rows
   */
  logits(name: string, length: string, parameters?: ParameterSource): Value;
  /** The same pass up to its last norm. @returns f32[S, D]: hidden states at its rows */
  hidden(name: string, length: string): Value;
  /** The feeds of declared passes, by their names. */
  feeds(passes: Readonly<Record<string, PassRows>>): Record<string, HostTensor>;
}

/**
 * Passes of a model whose parameters `source` gives.
 * @param recompute whether the backward pass computes each layer again: less memory, more time; off by default
 */
export function createPasses(
  { config, architecture, device }: Pick<Model, 'config' | 'architecture' | 'device'>,
  source: ParameterSource,
  { recompute = false }: { readonly recompute?: boolean } = {},
): Passes {
  const rotary = rotaryInputs(config);
  const tables = growingRotaryTables(config);
  const blocks = queryBlocks(device);
  const hidden = (name: string, length: string, parameters = source) => {
    const tokens = tokenInputs(name, `B${length}`, length, blocks);
    const { tokenIds, positions } = tokens;
    const rows = input(`${name}.rows`, 'i64', ['S']);
    const inputs = { tokenIds, positions, rotary, attention: fullAttention(tokens), recompute };
    const layers = parameters.dropping?.(passNoise(name, tokenIds)) ?? parameters;
    return architecture.hidden(config, layers, inputs, rows);
  };
  return {
    logits: (name, length, parameters = source) =>
      withScope(name, () => architecture.logits(config, parameters, hidden(name, length, parameters))),
    hidden: (name, length) => withScope(name, () => hidden(name, length)),
    feeds: (passes) => {
      const feeds: Record<string, HostTensor> = {};
      for (const [name, pass] of Object.entries(passes)) {
        checkTokens(config, pass.tokenIds, pass.positionIds);
        Object.assign(feeds, tokenFeeds(name, pass, blocks));
        feeds[`${name}.rows`] = { data: pass.rows, shape: [pass.rows.length] };
        if (source.dropping !== undefined) Object.assign(feeds, noiseFeeds(name, pass));
      }
      const longest = Math.max(...Object.values(passes).map(({ length }) => length));
      return Object.assign(feeds, tables(longest));
    },
  };
}

/** A session on the model's device over `outputs` whose frozen weights are mapped from the model's file, or from that of its quantised base. */
export async function openSession(
  {
    weights,
    quantised,
    device,
    thread,
    worker,
  }: Pick<Model, 'weights' | 'quantised' | 'device' | 'thread' | 'worker'>,
  outputs: Readonly<Record<string, Value>>,
  options: Omit<SessionOptions, 'weightsFolder'> = {},
): Promise<Session> {
  if (worker !== undefined)
    throw new ConfigError(
      `engine ${worker.name}: expected training or scoring, got work that only onnx does`,
      {
        code: 'engine/unsupported',
        hint: 'Leave --engine out for this command or option.',
      },
    );
  const { folder, tensors } =
    quantised === undefined ? mappedWeights(weights) : mappedQuantisedBase(quantised);
  // Building the expressions took a while, too.
  await breathe(undefined);
  const program = await runWithPauses(compiling(outputs, tensors, device), undefined);
  return (thread?.createSession ?? createSession)(program, { weightsFolder: folder, ...options });
}
