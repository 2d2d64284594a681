/** @file Chat templates: what they write around the messages, and templates that cannot be used. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { chatPieces } from '../../../src/engine/tokenizer/chat-template.ts';
import { type RenderedChats, renderedByUs } from '../../support/chat-cases.ts';

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

const golden = JSON.parse(
  await readFile(fileURLToPath(new URL('../../golden/chat-templates.json', import.meta.url)), 'utf8'),
) as RenderedChats;

test.each(Object.keys(golden.templates))(
  'the %s template is rendered and refuses roles as transformers does',
  (name) => {
    const cases = golden.cases.filter(({ template }) => template === name);
    expect(cases.length).toBe(14);
    for (const chat of cases) {
      const ours = renderedByUs(golden, chat);
      if (chat.error === undefined) expect(ours).toEqual({ text: chat.text });
      else expect(ours.error).toContain(chat.error);
    }
  },
);

test('the goldens hold refusals of a system role and of roles that do not alternate', () => {
  const errors = new Set(golden.cases.flatMap(({ error }) => error ?? []));
  expect([...errors].join()).toMatch(/System role not supported.*|.*must alternate/);
  expect(errors.size).toBe(3);
});

// Today's date would make tomorrow's prompts others than those of training.
test("a template that writes today's date gets one fixed day", () => {
  const template = "{{ strftime_now('%d %b %Y, %B %A %q') }}{{ messages[0].content }}";
  expect(chatPieces(template, ['user'], false, {})[0]).toEqual({ markup: '26 Jul 2024, July Friday %q' });
});
