/** @file Chats rendered by transformers (tests/golden/make/chat-templates.py), and the same by us. */
import { type ChatMessage, chatPieces } from '../../src/engine/tokenizer/chat-template.ts';

export interface RenderedChat {
  readonly template: string;
  readonly messages: readonly ChatMessage[];
  readonly addGenerationPrompt: boolean;
  readonly text?: string;
  /** The template's own refusal. */
  readonly error?: string;
}

export interface RenderedChats {
  readonly specialTokens: Readonly<Record<string, string>>;
  readonly templates: Readonly<Record<string, string>>;
  readonly cases: readonly RenderedChat[];
}

/** What our pieces give with the contents put back, or the message of the error. */
export function renderedByUs(
  { templates, specialTokens }: RenderedChats,
  { template, messages, addGenerationPrompt }: RenderedChat,
): { text?: string; error?: string } {
  const roles = messages.map(({ role }) => role);
  try {
    const pieces = chatPieces(templates[template]!, roles, addGenerationPrompt, specialTokens);
    return {
      text: pieces
        .map((piece) => ('markup' in piece ? piece.markup : messages[piece.message]!.content))
        .join(''),
    };
  } catch (error) {
    return { error: (error as Error).message };
  }
}
