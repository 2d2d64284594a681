/** @file nextquill.json: how an adapter or model was trained, so that whoever loads it makes the same prompts. */
import { join } from 'node:path';
import { WeightsError } from '../../base/errors.ts';
import { sha256 } from '../../base/hash.ts';
import { type AdapterInfo, INFO_FILE, readInfo } from '../../engine/lora/adapter-folder.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { ResolvedObjectiveOptions } from '../objectives/objective-options.ts';
import type { ObjectiveName } from '../objectives/objectives.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import type { Manifest } from './manifest.ts';
import { checkPrompt, recordCheck } from './record-check.ts';
import type { TrainedUsers } from './trained-users.ts';

/** Content of nextquill.json. */
export interface RunInfo extends AdapterInfo {
  readonly formatVersion: 1;
  /** Of the model that training began from. */
  readonly modelHash: string;
  readonly tokenizerHash: string;
  /** SHA-256 of the chat template, which tokenizer.json does not hold; absent in older folders. */
  readonly chatTemplateHash?: string;
  readonly objective: ObjectiveName;
  readonly objectiveOptions: ResolvedObjectiveOptions;
  /** Bits of the base that an adapter was trained over; absent for f32. */
  readonly baseBits?: number;
  /** Absent when token ids were given. */
  readonly prompt?: PromptSettings;
  /** Whose texts they were, as hashes; absent when token ids were given, and in older folders. */
  readonly trainedOnUsers?: TrainedUsers;
}

/** What the result of a run says of itself. */
export function runInfo({ recipe, model, data }: Manifest, tokenizer: Tokenizer): RunInfo {
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
    ...(data.users === undefined ? {} : { trainedOnUsers: data.users }),
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
  const check = recordCheck(
    (what) =>
      new WeightsError(`${join(folder, INFO_FILE)}: ${what}`, {
        code: 'run/info',
        hint: 'Restore the file, or use the version of NextQuill that wrote it.',
      }),
  );
  const { formatVersion, objective, chatTemplateHash, baseBits, prompt } = info;
  check('formatVersion', formatVersion, formatVersion === 1, '1');
  check('objective', objective, typeof objective === 'string', 'the name of an objective');
  const isHash = typeof chatTemplateHash === 'string' && /^[0-9a-f]{64}$/.test(chatTemplateHash);
  check('chatTemplateHash', chatTemplateHash, chatTemplateHash === undefined || isHash, 'a SHA-256');
  check('baseBits', baseBits, baseBits === undefined || baseBits === 4 || baseBits === 8, '4, 8 or nothing');
  if (prompt !== undefined) checkPrompt(prompt, 'prompt', check);
  return info as RunInfo;
}
