/** @file Chat templates: what they write around the messages, and templates that cannot be used. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../../../src/base/errors.ts';
import { chatPieces, promptPieces, undefinedTokens } from '../../../src/engine/tokenizer/chat-template.ts';
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

describe('the header of the assistant', () => {
  const headers = (template: string) => promptPieces(template, { eos_token: '</s>' }).at(-1);
  const turns = "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}";

  // The prompt ended before the header, and the response followed without one.
  test("is that before an assistant's text where the template has no generation prompt", () => {
    expect(promptPieces(turns, {})).toEqual([
      { markup: '<|user|>\n' },
      { message: 0 },
      { markup: '<|end|>\n<|assistant|>\n' },
    ]);
    const closing = `${turns}{% if messages[-1].role == 'user' %}{{ eos_token }}{% endif %}`;
    expect(headers(closing)).toEqual({ markup: '<|end|>\n<|assistant|>\n' });
  });

  test('is the generation prompt where there is one, also where the two differ', () => {
    const thinking = `${turns}{% if add_generation_prompt %}<|assistant|>\n<think></think>{% endif %}`;
    expect(headers(thinking)).toEqual({ markup: '<|end|>\n<|assistant|>\n<think></think>' });
  });

  test('does not take in white space that belongs to the text, nor asks for turns that are refused', () => {
    const brackets =
      "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}{% endif %}{% endfor %}";
    expect(headers(brackets)).toEqual({ markup: ' [/INST]' });
    const one =
      "{% if messages|length > 1 %}{{ raise_exception('one turn') }}{% endif %}Q: {{ messages[0].content }} A:";
    expect(headers(one)).toEqual({ markup: ' A:' });
  });
});

describe('a template that does not end', () => {
  // Loading a model folder hung for ever.
  test.each([
    ['a long range', '{% for x in range(1000000000) %}{% endfor %}', /range: expected at most 100000/],
    [
      'loops in loops',
      '{% for x in range(99999) %}{% for y in range(99999) %}{% endfor %}{% endfor %}',
      /timed out/,
    ],
  ])('is stopped and refused: %s', (_, template, message) => {
    const began = performance.now();
    const render = () => chatPieces(`${template}{{ messages[0].content }}`, ['user'], true, {});
    expect(render).toThrow(WeightsError);
    expect(render).toThrow(message);
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  test('ranges are those of Python', () => {
    const text = (range: string) =>
      chatPieces(
        `{% for x in ${range} %}{{ x }},{% endfor %}{{ messages[0].content }}`,
        ['user'],
        true,
        {},
      )[0];
    expect(text('range(3)')).toEqual({ markup: '0,1,2,' });
    expect(text('range(5, 0, -2)')).toEqual({ markup: '5,3,1,' });
    expect(text('range(2, 2)')).toEqual({ message: 0 });
  });
});

// A template that named a token which no file defines rendered nothing there, without a word.
test('tokens that a template writes and nothing names are found, except for those that it asks for first', () => {
  const names = (template: string) => undefinedTokens(template, { eos_token: '</s>' });
  expect(names('{{ bos_token }}{{ eos_token }}{{ pad_token + "x" }}')).toEqual(['bos_token', 'pad_token']);
  expect(names('{{- bos_token }}{% set x = "}" ~ unk_token %}')).toEqual(['bos_token', 'unk_token']);
  for (const guarded of [
    '{% if bos_token is defined %}{{ bos_token }}{% endif %}',
    '{% if bos_token %}{{ bos_token }}{% endif %}',
    "{{ bos_token | default('') }}",
    "{% set bos_token = '<s>' %}{{ bos_token }}",
    "{# {{ bos_token }} #}{{ 'bos_token' }}bos_token{{ m.bos_token }}",
  ])
    expect(names(guarded)).toEqual([]);
});
