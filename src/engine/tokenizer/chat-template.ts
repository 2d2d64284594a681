/** @file Chat templates: how a model wants turns to be written, rendered with Jinja as its makers wrote it. */
import { WeightsError } from '../../base/errors.ts';
import { renderJinja } from './jinja.ts';
import { SPECIAL_TOKEN_NAMES, type SpecialTokenTexts } from './special-tokens.ts';

/** One turn. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** A text between or around the contents of the turns, or the place of a turn's content. */
export type ChatPiece = { readonly markup: string } | { readonly message: number };

/**
 * What a chat template writes around the contents of the messages: contents themselves never pass through it, so
 * they cannot be taken for markup.
 * @param template Jinja source
 * @param roles role of each message; its content is a place in the result
 * @param addGenerationPrompt whether the header of the assistant's turn follows
 * @param specialTokens texts of `bos_token` and the like, which templates refer to
 * @throws {WeightsError} when the template is not valid Jinja, takes longer than two seconds, refuses the roles, or drops, doubles or swaps a message
 */
export function chatPieces(
  template: string,
  roles: readonly ChatMessage['role'][],
  addGenerationPrompt: boolean,
  specialTokens: SpecialTokenTexts,
): ChatPiece[] {
  // Private-use characters: no template spells them, trimming leaves them, and each place has its own.
  const places = roles.map((_, i) => `\u{f0000}${i}\u{f0001}`);
  const messages = roles.map((role, i) => ({ role, content: places[i]! }));
  let text: string;
  try {
    text = renderJinja(template, {
      ...specialTokens,
      messages,
      add_generation_prompt: addGenerationPrompt,
      enable_thinking: false,
    });
  } catch (cause) {
    throw new WeightsError(
      `chat template: expected one that renders ${roles.join(', ')}, got: ${messageOf(cause)}`,
      {
        code: 'tokenizer/chat-template',
        hint: "Use a prompt template without a system text, or correct the model's chat template.",
        cause,
      },
    );
  }
  const pieces: ChatPiece[] = [];
  let done = 0;
  for (const [i, place] of places.entries()) {
    const at = text.indexOf(place, done);
    if (at < 0 || text.indexOf(place) !== text.lastIndexOf(place))
      throw new WeightsError(
        `chat template: expected each message once and in order, got message ${i} otherwise`,
        {
          code: 'tokenizer/chat-template',
          hint: "Correct the model's chat template, or remove it to use the plain prompt.",
        },
      );
    if (at > done) pieces.push({ markup: text.slice(done, at) });
    pieces.push({ message: i });
    done = at + place.length;
  }
  if (done < text.length) pieces.push({ markup: text.slice(done) });
  return pieces;
}

/**
 * What stands around the messages of a prompt, up to where the assistant speaks.
 * @param template Jinja source
 * @param roles of the messages, a user's last; a single user message by default
 * @throws {WeightsError} as {@link chatPieces}: when the template refuses the roles
 *
 * A template without `add_generation_prompt` writes the assistant's header only before the assistant's text: there the
 * header is taken from the rendering of both turns. Where that adds white space alone, it belongs to the text.
 */
export function promptPieces(
  template: string,
  specialTokens: SpecialTokenTexts,
  roles: readonly ChatMessage['role'][] = ['user'],
): ChatPiece[] {
  const asked = chatPieces(template, roles, true, specialTokens);
  const plain = chatPieces(template, roles, false, specialTokens);
  if (markupOf(asked) !== markupOf(plain)) return asked;
  let both: ChatPiece[];
  try {
    both = chatPieces(template, [...roles, 'assistant'], false, specialTokens);
  } catch {
    return asked; // a template for the user's turn alone
  }
  const upToAssistant = both.slice(
    0,
    both.findIndex((piece) => 'message' in piece && piece.message === roles.length),
  );
  return markupOf(upToAssistant).trimEnd() === markupOf(asked).trimEnd() ? asked : upToAssistant;
}

const markupOf = (pieces: readonly ChatPiece[]) =>
  pieces.map((piece) => ('markup' in piece ? piece.markup : '\0')).join('');

/**
 * Names of special tokens that a template writes and nothing defines. Jinja writes nothing for them. A template that
 * asks first whether a token is there knows what it does.
 */
export function undefinedTokens(template: string, specialTokens: SpecialTokenTexts): string[] {
  const code = [...template.replace(/\{#[\s\S]*?#\}/g, '').matchAll(/\{[{%]([\s\S]*?)[%}]\}/g)]
    .map(([, inside]) => inside!.replace(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/g, "''"))
    .join('\n');
  return SPECIAL_TOKEN_NAMES.filter((name) => {
    const isUsed = new RegExp(`(?<![\\w.])${name}\\b`).test(code);
    const isGuarded = new RegExp(
      `(?:\\bif\\s+(?:not\\s+)?|\\bset\\s+)${name}\\b|\\b${name}\\s*(?:\\bis\\b|\\bor\\b|\\|\\s*default\\b)`,
    ).test(code);
    return isUsed && !isGuarded && !Object.hasOwn(specialTokens, name);
  });
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
