/** @file PEFT's adapter_config.json: what we write, what we read, and every option that we refuse by its name. */
import { WeightsError } from '../../base/errors.ts';
import { allLinearLayers, type LoraOptions } from '../models/parameters.ts';

/** What PEFT needs to load the adapter on a causal language model; names are PEFT's. */
export function peftConfig(lora: LoraOptions, baseModel: string): Record<string, unknown> {
  return {
    alpha_pattern: {},
    auto_mapping: null,
    base_model_name_or_path: baseModel,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: lora.loraAlpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: lora.rank,
    rank_pattern: {},
    revision: null,
    target_modules: [...lora.targetModules],
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: false,
  };
}

/** Keys that do not change what a trained adapter computes, whatever their value. */
const withoutEffect = new Set([
  'auto_mapping',
  'base_model_name_or_path',
  'corda_config',
  'ensure_weight_tying',
  'eva_config',
  'inference_mode',
  'loftq_config',
  'lora_dropout',
  'lora_ga_config',
  'megatron_core',
  'peft_version',
  'qalora_group_size',
  'revision',
  'runtime_config',
]);

/** Keys that are read below. */
const read = new Set(['r', 'lora_alpha', 'target_modules', 'use_rslora']);

/** Values of the other keys that mean the plain adapter; for keys that are not here: nothing, false or empty. */
const plainValues: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ['LORA'],
  task_type: ['CAUSAL_LM', null],
  bias: ['none'],
  // Starts such as pissa or olora change the base too, and a file of A and B alone does not hold that change.
  init_lora_weights: [true, false, 'gaussian', 'eva', 'orthogonal'],
};

/**
 * The adapter that an adapter_config.json describes. `use_rslora` (scaling = α/√r, arXiv 2312.03732) is folded into loraAlpha.
 * @param where the file, for messages
 * @throws {WeightsError} for a missing or malformed key, and for an option that we do not implement, by its name
 */
export function parsePeftConfig(json: Readonly<Record<string, unknown>>, where: string): LoraOptions {
  for (const [key, value] of Object.entries({ peft_type: undefined, ...json })) {
    if (withoutEffect.has(key) || read.has(key)) continue;
    const plain = plainValues[key];
    if (plain === undefined ? !isNothing(value) : !plain.includes(value))
      throw new WeightsError(
        `${where}: ${key}: expected ${plain === undefined ? 'nothing' : plain.map((v) => JSON.stringify(v)).join(' or ')}, got ${JSON.stringify(value) ?? 'nothing'}, which is not implemented`,
        {
          code: 'lora/unsupported',
          hint: 'Merge the adapter into its base with PEFT, or train one without this option.',
        },
      );
  }
  const number = (key: 'r' | 'lora_alpha', isWhole: boolean): number => {
    const value = json[key];
    if (typeof value === 'number' && value > 0 && (!isWhole || Number.isInteger(value))) return value;
    throw malformed(where, key, `a positive ${isWhole ? 'whole ' : ''}number`, value);
  };
  const rank = number('r', true);
  const alpha = number('lora_alpha', false);
  return {
    rank,
    loraAlpha: json.use_rslora === true ? alpha * Math.sqrt(rank) : alpha,
    targetModules: targetModules(json.target_modules, where),
  };
}

/** PEFT takes a list of name endings, a pattern, or `all-linear`; endings of one part are what we can name. */
function targetModules(value: unknown, where: string): string[] {
  if (value === 'all-linear') return [...allLinearLayers];
  if (Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string')) {
    const long = value.find((name: string) => name.includes('.'));
    if (long === undefined) return [...(value as string[])].sort();
    throw malformed(where, 'target_modules', 'names of one part such as "q_proj"', long);
  }
  throw malformed(where, 'target_modules', 'a list of names such as "q_proj"', value);
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function malformed(where: string, key: string, expected: string, got: unknown): WeightsError {
  return new WeightsError(`${where}: ${key}: expected ${expected}, got ${JSON.stringify(got) ?? 'nothing'}`, {
    code: 'lora/config',
    hint: "Check that the folder holds a LoRA adapter in PEFT's layout.",
  });
}
