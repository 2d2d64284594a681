/** @file Texts as encoders read them: WordPiece or byte-level BPE, between the tokens that begin and end a text. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { WeightsError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';

/** What we use of the library; its own declarations do not resolve under Node's module rules. */
interface Library {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  token_to_id(token: string): number | undefined;
}

export interface EncoderTokenizer {
  /** Ids of a text between begin and end; white space around it is cut, and what is beyond `maxTokens` tokens in all. */
  encode(text: string): number[];
  readonly beginId: number;
  readonly endId: number;
  readonly padId: number;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The tokenizer of an encoder's folder: tokenizer.json and, where it is, tokenizer_config.json. RoBERTa's texts begin with a space, as bert-score has
 * them read.
 * @param most tokens that the model has positions for
 * @throws {WeightsError} when a file is missing or malformed, or a special token is not there
 */
export async function loadEncoderTokenizer(
  folder: string,
  modelType: 'bert' | 'roberta',
  most: number,
): Promise<EncoderTokenizer> {
  const json = await jsonOf(join(folder, 'tokenizer.json'));
  const configFile = join(folder, 'tokenizer_config.json');
  const config = (await exists(configFile)) ? await jsonOf(configFile) : {};
  const library = new LibraryTokenizer(json, config) as unknown as Library;
  const idOf = (key: string, fallback: string): number => {
    const given = config[key];
    const token =
      typeof given === 'string' ? given : ((given as { content?: string } | undefined)?.content ?? fallback);
    const id = library.token_to_id(token);
    if (id !== undefined) return id;
    throw new WeightsError(`${folder}: ${key}: expected a token of the vocabulary, got "${token}"`, {
      code: 'tokenizer/special-token',
      hint: "Use the model's own tokenizer files.",
    });
  };
  const isRoberta = modelType === 'roberta';
  const beginId = idOf('cls_token', isRoberta ? '<s>' : '[CLS]');
  const endId = idOf('sep_token', isRoberta ? '</s>' : '[SEP]');
  const padId = idOf('pad_token', isRoberta ? '<pad>' : '[PAD]');
  const longest = config.model_max_length;
  const maxTokens = typeof longest === 'number' ? Math.min(longest, most) : most;
  return {
    encode: (text) => {
      const bare = text.trim();
      const ids =
        bare === '' ? [] : library.encode(isRoberta ? ` ${bare}` : bare, { add_special_tokens: false }).ids;
      return [beginId, ...ids.slice(0, maxTokens - 2), endId];
    },
    beginId,
    endId,
    padId,
  };
}

async function jsonOf(path: string): Promise<Json> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Json;
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new WeightsError(`${path}: expected a JSON file, got ${isMissing ? 'none' : 'another'}`, {
      code: 'tokenizer/file',
      hint: 'Download the files of the model again.',
      cause,
    });
  }
}
