/** @file PEFT's adapter_config.json: what we write, what we read, and every option that we refuse by its name. */
import { WeightsError } from '../../base/errors.ts';
import type { LoraOptions } from '../models/parameters.ts';

/** What PEFT needs to load the adapter on a causal language model; names are PEFT's. */
export function peftConfig(lora: LoraOptions, baseModel: string, revision?: string): Record<string, unknown> {
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
    lora_dropout: lora.dropout ?? 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: lora.rank,
    rank_pattern: {},
    revision: revision ?? null,
    target_modules: [...lora.targetModules],
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: lora.rsLora ?? false,
  };
}

/** Keys that do not change what a trained adapter computes, whatever their value. */
const withoutEffect = new Set([
  'auto_mapping',
  'base_model_name_or_path',
  'corda_config',
  'ensure_weight_tying',
  'eva_config',
  // How the base lies in memory, which we know from the model.
  'fan_in_fan_out',
  'inference_mode',
  'loftq_config',
  'lora_ga_config',
  'megatron_core',
  'peft_version',
  'qalora_group_size',
  'revision',
  'runtime_config',
]);

/** Keys that are read below, and those that peft-layers.ts reads. */
const read = new Set([
  'r',
  'lora_alpha',
  'lora_dropout',
  'use_rslora',
  'target_modules',
  'exclude_modules',
  'rank_pattern',
  'alpha_pattern',
]);

/** Values of the other keys that mean the plain adapter; for keys that are not here: nothing, false or empty. */
const plainValues: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ['LORA'],
  task_type: ['CAUSAL_LM', null],
  bias: ['none'],
  // Starts such as pissa or olora change the base too, and a file of A and B alone does not hold that change.
  init_lora_weights: [true, false, 'gaussian', 'eva', 'orthogonal'],
};

/** What an adapter_config.json says of all layers that it does not name otherwise. */
export type PeftOptions = Omit<LoraOptions, 'targetModules'>;

/**
 * Rank, alpha and the rest of an adapter_config.json; which layers they are for, peft-layers.ts tells.
 * @param where the file, for messages
 * @throws {WeightsError} for a missing or malformed key, and for an option that we do not implement, by its name
 */
export function parsePeftConfig(json: Readonly<Record<string, unknown>>, where: string): PeftOptions {
  for (const [key, value] of Object.entries({ peft_type: undefined, ...json })) {
    if (withoutEffect.has(key) || read.has(key)) continue;
    const plain = Object.hasOwn(plainValues, key) ? plainValues[key] : undefined;
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
  const { lora_dropout: dropout, use_rslora: rsLora } = json;
  return {
    rank: number('r', true),
    loraAlpha: number('lora_alpha', false),
    // It changes training alone: what is no share is no reason to refuse the adapter.
    ...(typeof dropout === 'number' && dropout > 0 && dropout < 1 && { dropout }),
    ...(rsLora === true && { rsLora }),
  };
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** What to do where adapter and model do not fit: the adapter says what it was made for. */
export function baseHint({ base_model_name_or_path: base }: Readonly<Record<string, unknown>>): string {
  return typeof base === 'string' && base !== ''
    ? `Use the adapter with its base: ${CONFIG_KEY} says ${JSON.stringify(base.slice(0, 200))}.`
    : 'Use the adapter with the base model it was trained on.';
}

const CONFIG_KEY = 'base_model_name_or_path';

/** An adapter_config.json with a key that means nothing. */
export function malformed(where: string, key: string, expected: string, got: unknown): WeightsError {
  return new WeightsError(`${where}: ${key}: expected ${expected}, got ${JSON.stringify(got) ?? 'nothing'}`, {
    code: 'lora/config',
    hint: "Check that the folder holds a LoRA adapter in PEFT's layout.",
  });
}
