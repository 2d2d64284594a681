/** @file Colours: monotone, neutral at zero, legible, and told apart by colour-blind readers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  colourOf,
  contrast,
  hexOf,
  LEVELS,
  levelOf,
  type Rgb,
  themes,
  toOklab,
} from '../../../src/reports/heat-map/colour-scale.ts';
import { effectLimits } from '../../../src/reports/heat-map/effect-scale.ts';
import { exampleMap } from './example-map.ts';

const levels = Array.from({ length: 2 * LEVELS + 1 }, (_, i) => i - LEVELS);
const distance = (a: Rgb, b: Rgb) => Math.hypot(...toOklab(a).map((part, i) => part - toOklab(b)[i]!));

describe('levelOf', () => {
  it('never falls when the value rises', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (a, b) => {
        const [low, high] = a <= b ? [a, b] : [b, a];
        expect(levelOf(low, 3)).toBeLessThanOrEqual(levelOf(high, 3));
        expect(levelOf(-low, 3) + levelOf(low, 3)).toBe(0);
      }),
    );
  });

  it('is zero for no effect and full from the limit on', () => {
    expect([0, -0, Number.NaN].map((value) => levelOf(value, 3))).toEqual([0, 0, 0]);
    expect([3, 99, -3].map((value) => levelOf(value, 3))).toEqual([LEVELS, LEVELS, -LEVELS]);
  });
});

for (const [name, theme] of Object.entries(themes)) {
  describe(`the ${name} theme`, () => {
    it('shows zero as the page itself', () => {
      expect(colourOf(0, theme)).toEqual(theme.paper);
      expect(colourOf(0, theme, false)).toEqual(theme.paper);
    });

    it('moves further from the page with every level, on each of the three ramps', () => {
      for (const colours of [
        levels.filter((level) => level >= 0).map((level) => colourOf(level, theme)),
        levels.filter((level) => level >= 0).map((level) => colourOf(-level, theme)),
        levels.filter((level) => level >= 0).map((level) => colourOf(level, theme, false)),
      ]) {
        const away = colours.map((colour) => distance(colour, theme.paper));
        for (let i = 1; i < away.length; i++) expect(away[i]! - away[i - 1]!).toBeGreaterThan(0.01);
      }
    });

    it('keeps the text at 4.5 : 1 or better on every colour', () => {
      for (const level of levels) {
        expect(contrast(theme.ink, colourOf(level, theme))).toBeGreaterThan(4.5);
        expect(contrast(theme.ink, colourOf(level, theme, false))).toBeGreaterThan(4.5);
      }
    });

    it('tells raised from lowered under red and green blindness', () => {
      // Viénot, Brettel and Mollon 1999, in linear light: protanopia and deuteranopia make red and green one channel.
      const linear = (part: number) => (part / 255) ** 2.2;
      for (const [red, green] of [
        [0.11238, 0.88762],
        [0.29275, 0.70725],
      ] as const) {
        const seen = (colour: Rgb) => [
          red * linear(colour[0]) + green * linear(colour[1]),
          linear(colour[2]),
        ];
        const apart = (a: Rgb, b: Rgb) => Math.hypot(...seen(a).map((part, i) => part - seen(b)[i]!));
        expect(apart(theme.raised, theme.lowered)).toBeGreaterThan(0.3);
      }
    });
  });
}

describe('hexOf', () => {
  it('writes two digits a channel', () => {
    expect(hexOf([0, 10, 255])).toBe('#000aff');
  });
});

describe('contrast', () => {
  it('is 21 for black on white and 1 for equal colours', () => {
    expect(contrast([0, 0, 0], [255, 255, 255])).toBeCloseTo(21, 6);
    expect(contrast([9, 9, 9], [9, 9, 9])).toBe(1);
  });
});

describe('effectLimits', () => {
  it('rounds the reach of the effects up and gives all log ratios one limit', () => {
    const limits = effectLimits([exampleMap('a b c d', [2.2, -2.2, 2.2, 2.2])]);
    expect(limits.logRatio).toBe(3);
    expect(limits.userSpecific).toBe(3);
  });

  it('does not blow noise up to full colour', () => {
    expect(effectLimits([exampleMap('a b', [0.01, -0.02])]).logRatio).toBe(1);
    expect(effectLimits([]).probability).toBe(0.1);
  });
});
