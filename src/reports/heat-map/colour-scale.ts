/** @file Colours of effects: steps between a neutral and an end colour in OKLab, safe for colour-blind readers, in two themes. */

/** Steps on each side of zero; level 0 is the page itself. */
export const LEVELS = 8;

/** sRGB, each 0 to 255. */
export type Rgb = readonly [number, number, number];

/** A theme: page, text, and what the strongest effects look like. */
export interface Theme {
  readonly paper: Rgb;
  readonly ink: Rgb;
  /** The history makes the token likelier. */
  readonly raised: Rgb;
  /** The history makes the token less likely. */
  readonly lowered: Rgb;
  /** The prediction moved; which way is not said. */
  readonly moved: Rgb;
}

/** Blue against orange tells apart under every common colour blindness; the ends keep 4.5 : 1 to the ink. */
export const themes: Readonly<Record<'light' | 'dark', Theme>> = {
  light: {
    paper: [255, 255, 255],
    ink: [26, 28, 33],
    raised: [244, 143, 44],
    lowered: [86, 156, 228],
    moved: [176, 141, 222],
  },
  dark: {
    paper: [22, 24, 29],
    ink: [236, 238, 242],
    raised: [160, 78, 4],
    lowered: [27, 96, 173],
    moved: [112, 74, 168],
  },
};

/**
 * The level of an effect: an integer from −{@link LEVELS} to {@link LEVELS}, 0 for 0, rising with the value.
 * @param limit the effect that gets the strongest colour, > 0; larger ones get the same
 */
export function levelOf(value: number, limit: number): number {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 0 : Math.sign(value) * LEVELS;
  const level = Math.min(Math.round((Math.abs(value) / limit) * LEVELS), LEVELS);
  return value < 0 && level > 0 ? -level : level;
}

/**
 * The colour of a level in a theme.
 * @param level an integer from −{@link LEVELS} to {@link LEVELS}
 * @param signed false for an effect without a sign, which has a colour of its own
 */
export function colourOf(level: number, theme: Theme, signed = true): Rgb {
  const end = signed ? (level < 0 ? theme.lowered : theme.raised) : theme.moved;
  const share = Math.min(Math.abs(level), LEVELS) / LEVELS;
  if (share === 0) return theme.paper;
  const from = toOklab(theme.paper);
  const to = toOklab(end);
  return fromOklab([0, 1, 2].map((i) => from[i]! + share * (to[i]! - from[i]!)) as unknown as Rgb);
}

/** `#rrggbb`. */
export function hexOf(colour: Rgb): string {
  return `#${colour.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
}

/** WCAG 2 contrast ratio of two colours, 1 to 21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [darker, lighter] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(colour: Rgb): number {
  const [r, g, b] = colour.map(toLinear) as unknown as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const toLinear = (part: number) =>
  part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4;

const fromLinear = (part: number) =>
  Math.round(
    255 * Math.min(Math.max(part <= 0.0031308 ? 12.92 * part : 1.055 * part ** (1 / 2.4) - 0.055, 0), 1),
  );

/** Lightness, green–red, blue–yellow (OKLab; Ottosson 2020). */
export function toOklab(colour: Rgb): Rgb {
  const [r, g, b] = colour.map(toLinear) as unknown as Rgb;
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([lightness, a, b]: Rgb): Rgb {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    fromLinear(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    fromLinear(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    fromLinear(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}
