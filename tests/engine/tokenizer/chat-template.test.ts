/** @file Chat templates: what they write around the messages, and templates that cannot be used. */
import { expect, test } from 'vitest';
import { chatPieces } from '../../../src/engine/tokenizer/chat-template.ts';

const chatml =
  "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] | trim + '<|im_end|>' + '\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

test('a ChatML template is cut at the places of the messages', () => {
  expect(chatPieces(chatml, ['system', 'user'], true, {})).toEqual([
    { markup: '<|im_start|>system\n' },
    { message: 0 },
    { markup: '<|im_end|>\n<|im_start|>user\n' },
    { message: 1 },
    { markup: '<|im_end|>\n<|im_start|>assistant\n' },
  ]);
});

test('named special tokens reach the template', () => {
  const template = '{{ bos_token }}{{ messages[0].content }}{{ eos_token }}';
  expect(chatPieces(template, ['user'], false, { bos_token: '<s>', eos_token: '</s>' })).toEqual([
    { markup: '<s>' },
    { message: 0 },
    { markup: '</s>' },
  ]);
});

test('a template that drops, doubles or swaps messages is refused', () => {
  for (const template of [
    '{{ messages[1].content }}',
    '{{ messages[0].content }}{{ messages[0].content }}{{ messages[1].content }}',
    '{{ messages[1].content }}{{ messages[0].content }}',
  ])
    expect(() => chatPieces(template, ['system', 'user'], true, {})).toThrow(
      'expected each message once and in order',
    );
});

test("a template's own refusal is passed on", () => {
  const template = "{{ raise_exception('no system role') }}";
  expect(() => chatPieces(template, ['system', 'user'], true, {})).toThrow('no system role');
});
