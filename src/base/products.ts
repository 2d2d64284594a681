/** @file What products with a frozen base are computed in, by the names that options, recipes and flags share. */
import { checkName } from './errors.ts';

/** `int8`: numbers of the base times activations that are rounded to 8 bits, summed as integers. */
export const productNames = ['f32', 'int8'] as const;
/** What a product with a frozen matrix is computed in. */
export type Products = (typeof productNames)[number];

/**
 * Checks the name, from whatever place it comes.
 * @param place what holds it, for the message
 * @throws {ConfigError} `config/products`
 */
export function checkProducts(products: unknown, place = 'products'): asserts products is Products {
  checkName(products, productNames, { place, code: 'config/products', fallback: 'f32' });
}
