/** @file Dimensions of tensors: numbers, symbols and polynomials of them with integer coefficients, in a canonical form. */
import { ShapeError } from '../../base/errors.ts';

/** A number, a symbol such as `B`, or a sum of products in canonical form such as `2*B*T+S`. */
export type Dim = number | string;

// A polynomial: from a product of symbols ('' for the constant) to its coefficient.
type Polynomial = Map<string, number>;

// A graph has few different dimensions, in the shapes of ten thousand nodes.
const parsed = new Map<string, ReadonlyMap<string, number>>();
const products = new Map<string, Dim>();
const symbolLists = new Map<string, readonly string[]>();

function parse(dim: Dim): ReadonlyMap<string, number> {
  if (typeof dim === 'number') return new Map([['', dim]]);
  return remembered(parsed, dim, () => termsIn(dim));
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    known.set(key, value);
  }
  return value;
}

function termsIn(dim: string): Polynomial {
  const terms: Polynomial = new Map();
  for (const term of dim.split('+')) {
    const factors = term.split('*');
    const leading = Number(factors[0]);
    const coefficient = Number.isNaN(leading) ? 1 : leading;
    const symbols = (Number.isNaN(leading) ? factors : factors.slice(1)).sort().join('*');
    terms.set(symbols, (terms.get(symbols) ?? 0) + coefficient);
  }
  return terms;
}

function print(terms: Polynomial): Dim {
  const kept = [...terms].filter(([, coefficient]) => coefficient !== 0);
  if (kept.length === 0) return 0;
  if (kept.length === 1 && kept[0]![0] === '') return kept[0]![1];
  return kept
    .sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1))
    .map(([symbols, c]) => (symbols === '' ? `${c}` : c === 1 ? symbols : `${c}*${symbols}`))
    .join('+');
}

/** The sum of two dimensions. */
export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  const sum = new Map(parse(a));
  for (const [symbols, c] of parse(b)) sum.set(symbols, (sum.get(symbols) ?? 0) + c);
  return print(sum);
}

/** The product of two dimensions. */
export function multiplyDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  return remembered(products, `${a} ${b}`, () => productOf(a, b));
}

function productOf(a: Dim, b: Dim): Dim {
  const product: Polynomial = new Map();
  for (const [s, c] of parse(a)) {
    for (const [t, d] of parse(b)) {
      const symbols = [...s.split('*'), ...t.split('*')]
        .filter((symbol) => symbol !== '')
        .sort()
        .join('*');
      product.set(symbols, (product.get(symbols) ?? 0) + c * d);
    }
  }
  return print(product);
}

/** The number of elements of a shape. */
export function sizeOf(shape: readonly Dim[]): Dim {
  return shape.reduce<Dim>(multiplyDims, 1);
}

/** `a − b`, for lengths of slices. */
export function subtractDims(a: Dim, b: Dim): Dim {
  return addDims(a, multiplyDims(b, -1));
}

/** The symbols that occur in a dimension. */
export function symbolsOf(dim: Dim): readonly string[] {
  if (typeof dim === 'number') return [];
  return remembered(symbolLists, dim, () => {
    const all = [...parse(dim).keys()].flatMap((symbols) => symbols.split('*'));
    return [...new Set(all)].filter((symbol) => symbol !== '');
  });
}

/** The terms of a dimension, as (coefficient, symbols) pairs. */
export function termsOf(dim: Dim): { coefficient: number; symbols: string[] }[] {
  return [...parse(dim)].map(([symbols, coefficient]) => ({
    coefficient,
    symbols: symbols === '' ? [] : symbols.split('*'),
  }));
}

/** The value of a dimension where its symbols have `values`. @throws {ShapeError} when a symbol has none. */
export function evaluateDim(dim: Dim, values: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const { coefficient, symbols } of termsOf(dim)) {
    let product = coefficient;
    for (const symbol of symbols) {
      const value = values.get(symbol);
      if (value === undefined)
        throw new ShapeError(`dimension ${dim}: symbol ${symbol} has no value`, { code: 'shape/unbound' });
      product *= value;
    }
    total += product;
  }
  return total;
}

/** Whether two shapes are equal, symbol by symbol. */
export function sameShape(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/** The shape that numpy's broadcasting rule gives. @throws {ShapeError} when the shapes do not fit. */
export function broadcastShapes(a: readonly Dim[], b: readonly Dim[]): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[axis - rank + a.length] ?? 1;
    const y = b[axis - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new ShapeError(
      `broadcast: [${a.join(', ')}] and [${b.join(', ')}] differ at axis ${axis}: ${x} and ${y}`,
      {
        code: 'shape/broadcast',
      },
    );
  });
}
