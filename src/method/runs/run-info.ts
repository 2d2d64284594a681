/** @file nextquill.json: how an adapter or model was trained, so that whoever loads it makes the same prompts. */
import { join } from 'node:path';
import { WeightsError } from '../../base/errors.ts';
import { sha256 } from '../../base/hash.ts';
import { type AdapterInfo, INFO_FILE, readInfo } from '../../engine/lora/adapter-folder.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { ObjectiveOptions } from '../objectives/objective-options.ts';
import type { ObjectiveName } from '../objectives/objectives.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import type { Manifest } from './manifest.ts';

/** Content of nextquill.json. */
export interface RunInfo extends AdapterInfo {
  readonly formatVersion: 1;
  /** Of the model that training began from. */
  readonly modelHash: string;
  readonly tokenizerHash: string;
  /** SHA-256 of the chat template, which tokenizer.json does not hold; absent in older folders. */
  readonly chatTemplateHash?: string;
  readonly objective: ObjectiveName;
  readonly objectiveOptions: Required<ObjectiveOptions>;
  /** Bits of the base that an adapter was trained over; absent for f32. */
  readonly baseBits?: number;
  /** Absent when token ids were given. */
  readonly prompt?: PromptSettings;
}

/** What the result of a run says of itself. */
export function runInfo({ recipe, model }: Manifest, tokenizer: Tokenizer): RunInfo {
  const { objective, objectiveOptions, prompt, baseBits } = recipe;
  return {
    formatVersion: 1,
    modelHash: model.hash,
    tokenizerHash: model.tokenizerHash,
    chatTemplateHash: chatTemplateHash(tokenizer),
    objective,
    objectiveOptions,
    ...(baseBits === undefined ? {} : { baseBits }),
    ...(prompt === undefined ? {} : { prompt }),
  };
}

/**
 * Refuses a model that would wrap the prompts in another chat template than the one of training.
 * @throws {WeightsError} naming the folder of the model
 */
export function checkChatTemplate({ chatTemplateHash: expected }: RunInfo, model: Model): void {
  const got = chatTemplateHash(model.tokenizer);
  if (expected === undefined || expected === got) return;
  throw new WeightsError(
    `${model.folder}: chat template: expected the one of training, ${expected.slice(0, 12)}…, got ${model.tokenizer.chatTemplate === undefined ? 'none' : `another, ${got.slice(0, 12)}…`}`,
    {
      code: 'run/chat-template',
      hint: 'Restore tokenizer_config.json or chat_template.jinja: other prompts would give other numbers.',
    },
  );
}

const chatTemplateHash = ({ chatTemplate }: Tokenizer): string => sha256(chatTemplate ?? '');

/**
 * The settings that an adapter's or a model's folder was trained with; undefined for one made elsewhere.
 * @throws {WeightsError} when the file is damaged or of another format
 */
export async function readRunInfo(folder: string): Promise<RunInfo | undefined> {
  const info = await readInfo(folder);
  if (info === undefined) return undefined;
  const { prompt } = info as Partial<RunInfo>;
  const isPrompt =
    prompt === undefined ||
    (typeof prompt.template === 'string' &&
      typeof prompt.reference === 'string' &&
      Number.isInteger(prompt.maxTokens) &&
      Number.isInteger(prompt.maxHistory));
  if (info.formatVersion === 1 && typeof info.objective === 'string' && isPrompt) return info as RunInfo;
  throw new WeightsError(
    `${join(folder, INFO_FILE)}: expected format 1 with objective and prompt, got another`,
    { code: 'run/info', hint: 'Use the version of NextQuill that wrote the folder.' },
  );
}
