/** @file Chat templates: how a model wants turns to be written, rendered with Jinja as its makers wrote it. */
import { Template } from '@huggingface/jinja';
import { WeightsError } from '../../base/errors.ts';
import type { SpecialTokenTexts } from './special-tokens.ts';

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
 * @throws {WeightsError} when the template is no Jinja, refuses the roles, or drops, doubles or swaps a message
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
    text = new Template(FIXED_DATE + template).render({
      ...specialTokens,
      messages,
      add_generation_prompt: addGenerationPrompt,
      enable_thinking: false,
      date_text: dateText,
    });
  } catch (cause) {
    throw new WeightsError(
      `chat template: expected one that renders ${roles.join(', ')}, got: ${messageOf(cause)}`,
      {
        code: 'tokenizer/chat-template',
        hint: 'Use a prompt template without a system text, or mend chat_template in tokenizer_config.json.',
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
          hint: 'Mend chat_template in tokenizer_config.json, or remove it to use the plain prompt.',
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
 * Templates that write today's date get one fixed day, the default of Llama 3.2's own template: a prompt that changed
 * overnight would change scores, and would no longer be the prompt of training.
 */
const TODAY = new Date(Date.UTC(2024, 6, 26));

/** Before a template: the library's own function of this name gives the day of today, and cannot be replaced otherwise. */
const FIXED_DATE = '{% set strftime_now = date_text %}';

/** The fixed day in the formats of C's strftime that templates use; others stay as they are. */
function dateText(format: string): string {
  const part = (options: Intl.DateTimeFormatOptions) =>
    TODAY.toLocaleDateString('en-US', { ...options, timeZone: 'UTC' });
  const parts: Readonly<Record<string, string>> = {
    '%Y': part({ year: 'numeric' }),
    '%m': part({ month: '2-digit' }),
    '%d': part({ day: '2-digit' }),
    '%b': part({ month: 'short' }),
    '%B': part({ month: 'long' }),
    '%a': part({ weekday: 'short' }),
    '%A': part({ weekday: 'long' }),
    '%H': '00',
    '%M': '00',
    '%S': '00',
  };
  return format.replace(/%[A-Za-z]/g, (code) => parts[code] ?? code);
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
