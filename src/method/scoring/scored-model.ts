/** @file What is scored: a model, with an adapter or with trained weights in the place of its own. */
import type { Products } from '../../base/products.ts';
import type { Model } from '../../engine/models/model.ts';
import type { ParameterValues } from '../../engine/models/pass.ts';
import type { KeptGraphs } from './kept-graphs.ts';
import type { RemotePasses } from './remote-passes.ts';

/** A model as it is to be scored: frozen, with an adapter, or with weights under training. */
export interface ScoredModel extends ParameterValues {
  readonly model: Model;
  /** A server that scores in place of the model's graphs; of the model itself only the tokenizer is then here. */
  readonly remote?: RemotePasses;
  /** Graphs of the model that scorers share, whatever adapter they score; each compiles its own where absent. */
  readonly graphs?: KeptGraphs | undefined;
}

/** What a result says of the products that it was computed in: nothing where they were in f32. */
export interface ProductsRecord {
  readonly products?: Exclude<Products, 'f32'>;
}

export function productsRecord({ model }: Pick<ScoredModel, 'model'>): ProductsRecord {
  const { products = 'f32' } = model.quantised ?? {};
  return products === 'f32' ? {} : { products };
}
