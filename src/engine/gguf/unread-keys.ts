/**
 * @file Keys of a GGUF file's metadata that describe the model and that no config is made from: what changes the numbers is
 * refused unless its value changes nothing, and what nobody here knows is named.
 */
import { WeightsError } from '../../base/errors.ts';
import type { GgufFile } from './gguf-file.ts';
import type { GgufValue } from './header.ts';
import type { Hyperparameters } from './hyperparameters.ts';

type Neutral = (value: GgufValue, p: Hyperparameters) => boolean;

const any: Neutral = () => true;
const oneOf =
  (...values: readonly GgufValue[]): Neutral =>
  (value) =>
    values.includes(value);

/**
 * Keys that are not always read, below `ARCHITECTURE.`, with the values that change nothing. llama.cpp does not read all of
 * them for every architecture; that a file has them says that its model was another one.
 */
const neutralValues: Readonly<Record<string, Neutral>> = {
  vocab_size: any,
  tensor_data_layout: any,
  context_length: any,
  'rope.scaling.finetuned': any,
  // Read where positions are scaled by a rule that needs them.
  'rope.freq_base': any,
  'rope.scaling.factor': any,
  'rope.scaling.original_context_length': any,
  'rope.scale_linear': any,
  'rope.dimension_count': any,
  // Experts themselves are refused.
  expert_count: oneOf(0),
  expert_used_count: any,
  expert_shared_count: oneOf(0),
  leading_dense_block_count: oneOf(0),
  nextn_predict_layers: oneOf(0),
  'attention.causal': oneOf(true),
  'attention.sliding_window': (value, p) =>
    typeof value === 'number' && (value === 0 || value >= p.number('context_length')),
  'attention.shared_kv_layers': oneOf(0),
  'attention.scale': (value, p) => {
    const heads = p.number('attention.head_count');
    const size = p.optional('attention.key_length') ?? p.number('embedding_length') / heads;
    return value === 0 || (typeof value === 'number' && Math.abs(value * Math.sqrt(size) - 1) < 1e-5);
  },
  'attention.clamp_kqv': oneOf(0),
  'attention.max_alibi_bias': oneOf(0),
  'attention.temperature_scale': oneOf(0),
  'attention.temperature_length': oneOf(0),
  'attention.output_scale': oneOf(0, 1),
  attn_logit_softcapping: oneOf(0),
  router_logit_softcapping: oneOf(0),
  final_logit_softcapping: oneOf(0),
  logit_scale: oneOf(0, 1),
  embedding_scale: oneOf(0, 1),
  residual_scale: oneOf(0, 1),
  swin_norm: oneOf(false),
  use_parallel_residual: oneOf(false),
  // Of yarn: what its config says by default.
  'rope.scaling.attn_factor': oneOf(1),
  'rope.scaling.yarn_attn_factor': oneOf(1),
  'rope.scaling.yarn_ext_factor': oneOf(-1, 1),
  'rope.scaling.yarn_beta_fast': oneOf(32),
  'rope.scaling.yarn_beta_slow': oneOf(1),
  'rope.scaling.yarn_log_multiplier': oneOf(0),
  'rope.dimension_sections': () => false,
};

/**
 * Looks at the keys of the architecture that were not read.
 * @param read keys below `ARCHITECTURE.` that the config was made from
 * @returns full names of keys that are not known here
 * @throws {WeightsError} naming a key whose value changes what the model computes
 */
export function unreadKeys(p: Hyperparameters, file: GgufFile, read: ReadonlySet<string>): string[] {
  const unknown: string[] = [];
  const prefix = `${p.architecture}.`;
  for (const [name, value] of file.metadata) {
    const key = name.slice(prefix.length);
    if (!name.startsWith(prefix) || read.has(key)) continue;
    const isNeutral = Object.hasOwn(neutralValues, key) ? neutralValues[key]! : undefined;
    const isList = Array.isArray(value);
    const values = isList ? (value as readonly GgufValue[]) : [value];
    if (isNeutral === undefined) unknown.push(name);
    else if (!values.every((each) => isNeutral(each, p)))
      throw new WeightsError(
        `${file.path}: ${name}: expected none or a value without effect, got ${isList ? `a list of ${values.length}` : String(value).slice(0, 60)}, which is not implemented`,
        { code: 'gguf/unsupported', hint: 'Use a model without this feature.' },
      );
  }
  return unknown;
}
