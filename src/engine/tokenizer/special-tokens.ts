/** @file Which tokens are special, begin a text, end a turn and fill a batch, by the model's own configuration. */
import { WeightsError } from '../../base/errors.ts';
import type { TokenizerJson } from './tokenizer-json.ts';

/** The configuration files beside tokenizer.json, as they are; empty objects where they are missing. */
export interface TokenizerConfigs {
  /** tokenizer_config.json. */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** generation_config.json. */
  readonly generation: Readonly<Record<string, unknown>>;
  /** config.json. */
  readonly model: Readonly<Record<string, unknown>>;
}

/** Texts of the named special tokens, such as `bos_token`; what chat templates refer to. */
export type SpecialTokenTexts = Readonly<Record<string, string>>;

/** Names under which configuration files and templates know special tokens. */
export const SPECIAL_TOKEN_NAMES = [
  'bos_token',
  'eos_token',
  'unk_token',
  'pad_token',
  'sep_token',
  'cls_token',
  'mask_token',
];

/**
 * tokenizer_config.json with what special_tokens_map.json says, by transformers' rule: the map goes before it, and is not
 * read where tokenizer_config.json lists the tokens itself (`added_tokens_decoder`).
 */
export function withSpecialTokensMap(tokenizer: Json, map: Json): Json {
  if (tokenizer.added_tokens_decoder !== undefined) return tokenizer;
  const named = Object.entries(map).filter(
    ([key, value]) => textOf(value) !== undefined || LISTS_OF_TOKENS.includes(key),
  );
  return { ...tokenizer, ...Object.fromEntries(named) };
}

type Json = Readonly<Record<string, unknown>>;

/** Keys with further special tokens: a list of them, or an object by names that templates may use. */
const LISTS_OF_TOKENS = ['additional_special_tokens', 'extra_special_tokens'];

/** Texts of the special tokens that the tokenizer's configuration names: the usual ones, and those of the model's own. */
export function specialTokenTexts({ tokenizer }: TokenizerConfigs): SpecialTokenTexts {
  const own = tokenizer.extra_special_tokens;
  const entries = [
    ...Object.entries(Array.isArray(own) ? {} : asObject(own)),
    ...Object.entries(tokenizer).filter(([key]) => /^[a-z_]+_token$/.test(key)),
  ];
  const texts = entries.map(([name, token]) => [name, textOf(token)] as const);
  return Object.fromEntries(texts.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/**
 * Ids of the tokens that no user's text may yield: flagged special in either file, named by the tokenizer's configuration,
 * or an added token that config.json or generation_config.json gives a role.
 */
export function specialIds(json: TokenizerJson, configs: TokenizerConfigs): Set<number> {
  const ids = new Set(json.added_tokens.filter((token) => token.special).map((token) => token.id));
  const byText = idsByText(json);
  const lists = LISTS_OF_TOKENS.flatMap((key) => {
    const list = configs.tokenizer[key];
    return Array.isArray(list) ? list.map(textOf) : [];
  });
  for (const text of [...Object.values(specialTokenTexts(configs)), ...lists]) {
    const id = text === undefined ? undefined : byText(text);
    if (id !== undefined) ids.add(id);
  }
  // These files may hold defaults that mean nothing: an id of the plain vocabulary is not believed.
  const added = new Set(json.added_tokens.map(({ id }) => id));
  for (const config of [configs.model, configs.generation])
    for (const key of ['bos_token_id', 'eos_token_id', 'pad_token_id'])
      for (const id of allIds(config[key])) if (added.has(id)) ids.add(id);
  for (const [id, token] of Object.entries(asObject(configs.tokenizer.added_tokens_decoder)))
    if (asObject(token).special === true) ids.add(Number(id));
  return ids;
}

/**
 * The token that ends a turn: the first special token after the assistant's text in the chat template; without one
 * `eos_token` of tokenizer_config.json, `eos_token_id` of generation_config.json or config.json, or a usual name.
 * @param afterResponse what the chat template writes after an assistant's text, as ids; undefined without a template
 * @throws {WeightsError} when nothing names one
 */
export function endOfTurnId(
  json: TokenizerJson,
  configs: TokenizerConfigs,
  isSpecial: (id: number) => boolean,
  afterResponse: readonly number[] | undefined,
): number {
  const byText = idsByText(json);
  const named = textOf(configs.tokenizer.eos_token);
  const candidates = [
    afterResponse?.find(isSpecial),
    named === undefined ? undefined : byText(named),
    firstId(configs.generation.eos_token_id),
    firstId(configs.model.eos_token_id),
    ...['<|im_end|>', '<|endoftext|>', '<|end|>', '</s>', '<eos>'].map(byText),
  ];
  const id = candidates.find((candidate) => candidate !== undefined);
  if (id !== undefined) return id;
  throw new WeightsError('tokenizer_config.json: eos_token: expected a token that ends a turn, got none', {
    code: 'tokenizer/no-end-of-turn',
    hint: "Name the model's end-of-turn token as eos_token in tokenizer_config.json.",
  });
}

/**
 * The tokens at which generation ends: the end of a turn, and every `eos_token_id` of generation_config.json (Llama 3
 * and Gemma name several), else of config.json.
 */
export function endIds({ generation, model }: TokenizerConfigs, endOfTurn: number): number[] {
  const named = allIds(generation.eos_token_id);
  return [...new Set([endOfTurn, ...(named.length > 0 ? named : allIds(model.eos_token_id))])];
}

/** The token that the tokenizer itself puts before a text; undefined where it puts none. */
export function beginId(json: TokenizerJson, configs: TokenizerConfigs): number | undefined {
  const text = textOf(configs.tokenizer.bos_token);
  const named = text === undefined ? undefined : idsByText(json)(text);
  const asked = configs.tokenizer.add_bos_token;
  if (asked === false) return undefined;
  if (asked === true) return named ?? (text === undefined ? firstId(configs.model.bos_token_id) : undefined);
  return named !== undefined && putsFirst(json.post_processor, text!) ? named : undefined;
}

/** The token that fills rows of a batch: `pad_token`, else the given one (its value is never looked at). */
export function padId(json: TokenizerJson, configs: TokenizerConfigs, otherwise: number): number {
  const text = textOf(configs.tokenizer.pad_token);
  return (
    (text === undefined ? undefined : idsByText(json)(text)) ??
    firstId(configs.model.pad_token_id) ??
    otherwise
  );
}

/** Whether a post-processor's template begins with the token. */
function putsFirst(processor: unknown, token: string): boolean {
  const { type, processors, single } = asObject(processor);
  if (type === 'Sequence' && Array.isArray(processors))
    return processors.some((inner) => putsFirst(inner, token));
  if (type !== 'TemplateProcessing' || !Array.isArray(single)) return false;
  return asObject(asObject(single[0]).SpecialToken).id === token;
}

const idsByText = (json: TokenizerJson) => (text: string) =>
  json.added_tokens.find((token) => token.content === text)?.id ??
  (Object.hasOwn(json.model.vocab, text) ? json.model.vocab[text] : undefined);

/** The text of a token, which may be a string or an object with `content`. */
function textOf(token: unknown): string | undefined {
  const text = typeof token === 'string' ? token : asObject(token).content;
  return typeof text === 'string' && text !== '' ? text : undefined;
}

const firstId = (value: unknown): number | undefined => allIds(value)[0];

/** Ids that a key names: one, or a list of them. */
const allIds = (value: unknown): number[] =>
  (Array.isArray(value) ? value : [value]).filter((id) => Number.isInteger(id) && id >= 0) as number[];

const asObject = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
