/** @file The heat map in a terminal: width, colour modes, and no way to inject escapes. */
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderEffectMapTerminal } from '../../../src/reports/heat-map/heat-map-terminal.ts';
import { displayWidth, terminalText } from '../../../src/reports/text/terminal-text.ts';
import { exampleMap } from './example-map.ts';

const ESC = '\u001b';
const words = 'a fairly long response of many words that has to wrap more than once at this width';

describe('renderEffectMapTerminal', () => {
  it.each([true, '256', false] as const)('stays within the width (colour %s)', (color) => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z漢é🙂 \n]{1,120}$/u),
        fc.integer({ min: 20, max: 60 }),
        (text, width) => {
          const output = renderEffectMapTerminal(exampleMap(text, [2, -2, 1]), { width, color });
          for (const line of output.split('\n')) {
            expect(displayWidth(stripVTControlCharacters(line))).toBeLessThanOrEqual(width);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('breaks at spaces and loses no word', () => {
    const output = renderEffectMapTerminal(exampleMap(words), { width: 30, color: false });
    expect(output.replace(/\s+/g, ' ')).toContain(words);
  });

  it('writes no escape without colour, and marks strong effects instead', () => {
    const output = renderEffectMapTerminal(exampleMap('up upper down downer none', [1.5, 3, -1.5, -3, 0]), {
      color: false,
    });
    expect(output).not.toContain(ESC);
    expect(output).toContain('up[+] upper[++] down[-] downer[--] none ⏎');
    expect(output).toContain('[++] from 2.00, [+] from 1.00 nats');
  });

  it('colours by background, with no style where the effect is zero', () => {
    const output = renderEffectMapTerminal(exampleMap('up none', [3, 0]));
    expect(output).toContain(`${ESC}[38;2;26;28;33;48;2;244;143;44mup${ESC}[0m none`);
    expect(renderEffectMapTerminal(exampleMap('up', [3]), { color: '256' })).toMatch(
      new RegExp(`${ESC}\\[38;5;\\d+;48;5;\\d+mup`),
    );
  });

  it('closes its style on every line', () => {
    for (const line of renderEffectMapTerminal(exampleMap(words, Array(20).fill(3)), { width: 24 }).split(
      '\n',
    )) {
      if (line.includes(ESC))
        expect(line.endsWith(`${ESC}[0m`) || line.lastIndexOf(`${ESC}[0m`) > 0).toBe(true);
      expect(line.split(`${ESC}[0m`).at(-1)).not.toContain(ESC);
    }
  });

  it('shows known causes as underline and italics, or as letters without colour', () => {
    const map = exampleMap('mine yours ours', [0, 0, 0]);
    const causes = ['user', 'query', 'both', 'neither'] as const;
    const simulated = { ...map, tokens: map.tokens.map((token, i) => ({ ...token, cause: causes[i]! })) };
    const coloured = renderEffectMapTerminal(simulated);
    expect(coloured).toContain(`${ESC}[4mmine${ESC}[0m${ESC}[3m yours${ESC}[0m${ESC}[3;4m ours${ESC}[0m`);
    const plain = renderEffectMapTerminal(simulated, { color: false });
    expect(plain).toContain('mine[u] yours[q] ours[b]');
    expect(plain).toContain('known cause');
  });

  it('never passes on an escape sequence of a text', () => {
    const attack = `${ESC}[2J${ESC}]0;title\u0007\u009b31m\r`;
    const output = renderEffectMapTerminal(
      exampleMap(`x${attack}`, [1], { query: attack, user: attack, title: attack }),
      {
        color: false,
      },
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
    expect(output).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(output).toContain('<U+001B>[2J');
  });

  it('holds none of the words when redacted', () => {
    const output = renderEffectMapTerminal(exampleMap('Quietly devastating', [2]), {
      redact: true,
      color: false,
    });
    expect(output).not.toMatch(/Quietly|devastating|Usula|Queryword|Title-word/);
    expect(output).toContain('·······[++]');
  });
});

describe('displayWidth', () => {
  it('counts wide characters twice and combining ones not at all', () => {
    expect(displayWidth('abc')).toBe(3);
    expect(displayWidth('漢字')).toBe(4);
    expect(displayWidth('e\u0301')).toBe(1);
    expect(displayWidth('👩‍👩‍👧')).toBe(2);
    expect(displayWidth('')).toBe(0);
  });
});

describe('terminalText', () => {
  it('names what a terminal would obey and keeps line feeds', () => {
    expect(terminalText('a\u001b[1m\nb\tc')).toBe('a<U+001B>[1m\nb    c');
  });
});
