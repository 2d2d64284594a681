/**
 * @file Which tensors of a model's files are its parameters, and what is left over: what would be another model is refused,
 * what is beside the model is named in a warning, and only what changes nothing passes in silence.
 */
import { WeightsError } from '../../base/errors.ts';
import type { ModelParameter } from '../weights/model-parameter.ts';
import { entryOf, tensorPieces } from '../weights/safetensors.ts';
import type { TensorDirectory, TensorEntry } from '../weights/tensor-entry.ts';
import type { Architecture } from './architecture.ts';
import type { DecoderConfig } from './hf-config.ts';

export interface StoredParameters {
  /** With a head of its own where the files hold one that is not the embedding table. */
  readonly config: DecoderConfig;
  readonly parameters: readonly ModelParameter[];
  /** All tensors of the files, the parameters by their whole names. */
  readonly tensors: TensorDirectory;
}

const HEAD = 'lm_head.weight';

/** Buffers that transformers wrote in its day: what they hold follows from the config. */
const withoutEffect = [
  /(^|\.)rotary_emb\.inv_freq$/,
  /(^|\.)h\.\d+\.attn\.(bias|masked_bias)$/,
  /(^|\.)position_ids$/,
];

/**
 * The parameters of a model in the tensors of its files.
 *
 * A tied model whose files hold another head uses that head, as transformers 5 does, with a warning.
 * @throws {WeightsError} when a parameter is missing or has another shape, and for a tensor that belongs to a layer of
 *   the model and that the config says is not there: without it the model is another one
 * Cost: of a tied model with a head in its files, one read of both matrices.
 */
export async function storedParameters(
  directory: TensorDirectory,
  given: DecoderConfig,
  architecture: Architecture,
  onWarning: (message: string) => void = () => {},
): Promise<StoredParameters> {
  const { path } = directory;
  const tied = architecture.parameters(given);
  const ownHead = given.tiedHead && (await hasOwnHead(withWholeNames(directory, tied), tied));
  if (ownHead)
    onWarning(
      `${path}: ${HEAD}: the config ties the head to the embedding table, and the file holds another head; the head of the file is used`,
    );
  const config = ownHead ? { ...given, tiedHead: false } : given;
  const parameters = ownHead ? architecture.parameters(config) : tied;
  const tensors = withWholeNames(directory, parameters);
  for (const { name, shape } of parameters) {
    const { file, shape: found } = entryOf(tensors, name);
    if (found.length !== shape.length || found.some((size, axis) => size !== shape[axis]))
      throw new WeightsError(
        `${file}: ${name}: expected shape [${shape.join(', ')}] by config.json, got [${found.join(', ')}]`,
        { code: 'weights/shape', hint: 'Check that the weights belong to the config.json beside them.' },
      );
  }
  const beside = leftOver(directory, tensors, parameters, config);
  if (beside.length > 0)
    onWarning(
      `${path}: ${beside.length} tensors are not part of a ${config.modelType} of ${config.layers} layers, such as ${beside[0]}; they are not used and not exported`,
    );
  return { config, parameters, tensors };
}

/** Names of tensors that no parameter asks for. @throws {WeightsError} for one that belongs to a layer of the model */
function leftOver(
  directory: TensorDirectory,
  whole: TensorDirectory,
  parameters: readonly ModelParameter[],
  config: DecoderConfig,
): string[] {
  const used = new Set<TensorEntry | string>();
  for (const { name } of parameters) used.add(placeOf(entryOf(whole, name)));
  const first = parameters[0]!.name;
  const prefix = first.slice(0, first.indexOf('.') + 1);
  const modules = new Set(parameters.map(({ name }) => moduleOf(name)));
  const beside: string[] = [];
  for (const entry of directory.tensors.values()) {
    const { name, file } = entry;
    const isHarmless = withoutEffect.some((pattern) => pattern.test(name));
    const isTiedHead = config.tiedHead && name === HEAD;
    if (used.has(placeOf(entry)) || isHarmless || isTiedHead) continue;
    const layer = /(?:^|\.)(?:layers|h)\.(\d+)\./.exec(name)?.[1];
    const isOfModel = [name, prefix + name].some(
      (full) =>
        modules.has(moduleOf(full)) ||
        (full.startsWith(prefix) && layer !== undefined && Number(layer) < config.layers),
    );
    if (isOfModel)
      throw new WeightsError(
        `${file}: tensor ${JSON.stringify(name)}: expected none by config.json, got one for a layer of the model`,
        {
          code: 'weights/unused-tensor',
          hint: `Check that model_type and the rest of config.json are the model’s own: without this tensor it is another model.`,
        },
      );
    beside.push(name);
  }
  return beside;
}

const placeOf = ({ file, byteOffset, name, byteLength }: TensorEntry) =>
  byteLength === 0 ? `${file} ${name}` : `${file} ${byteOffset}`;

const moduleOf = (name: string) => name.slice(0, name.lastIndexOf('.'));

/** Whether there is a head and it is not the embedding table. */
async function hasOwnHead(directory: TensorDirectory, parameters: readonly ModelParameter[]) {
  const head = directory.tensors.get(HEAD);
  const table = directory.tensors.get(parameters.find(({ role }) => role === 'table')!.name);
  if (head === undefined || table === undefined) return false;
  return !(await haveSameValues(head, table));
}

/** Whether two tensors hold the same numbers in the same shape, in whatever dtype. */
export async function haveSameValues(a: TensorEntry, b: TensorEntry): Promise<boolean> {
  if (String(a.shape) !== String(b.shape)) return false;
  const [left, right] = [tensorPieces(a), tensorPieces(b)];
  let [one, other] = [new Float32Array(), new Float32Array()];
  try {
    for (;;) {
      if (one.length === 0) one = ((await left.next()).value as Float32Array<ArrayBuffer>) ?? one;
      if (other.length === 0) other = ((await right.next()).value as Float32Array<ArrayBuffer>) ?? other;
      const length = Math.min(one.length, other.length);
      if (length === 0) return one.length === other.length;
      for (let i = 0; i < length; i++) if (one[i] !== other[i]) return false;
      [one, other] = [one.subarray(length), other.subarray(length)];
    }
  } finally {
    await left.return(undefined);
    await right.return(undefined);
  }
}

/**
 * The tensors by the names of the whole model: files of a model without its head, such as GPT-2's own, leave the first
 * part of the names out.
 */
function withWholeNames(directory: TensorDirectory, parameters: readonly ModelParameter[]): TensorDirectory {
  const { path, tensors } = directory;
  const whole = new Map(tensors);
  for (const { name } of parameters) {
    const found = tensors.get(name.slice(name.indexOf('.') + 1));
    if (!whole.has(name) && found !== undefined) whole.set(name, { ...found, name });
  }
  return { path, tensors: whole };
}
