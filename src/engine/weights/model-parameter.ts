/** @file Names, shapes and roles of a model's parameters: what its weights must hold, and what of them can be adapted or quantised. */

/** Name (Hugging Face's) and shape of one parameter. */
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** One parameter of a model, by the part it plays: what an adapter can change, and how its matrix lies. */
export interface ModelParameter extends ParameterShape {
  /**
   * `linear` f32[out, in], PyTorch's layout; `transposed` f32[in, out], GPT-2's Conv1D; `table` of embeddings, which are
   * looked up and, in tied models, are the head; `vector` for norms and biases.
   */
  readonly role: 'linear' | 'transposed' | 'table' | 'vector';
  /** Whether logits are products with it: one parameter of a decoder, the table where its head is tied. */
  readonly isHead?: boolean;
}

/** The layer whose matrix it is. */
export const layerOf = (matrix: string): string => matrix.replace(/\.weight$/, '');

/** What logits are products with: a matrix of its own, or the embedding table where the head is tied. */
export const headOf = (parameters: readonly ModelParameter[]): ModelParameter =>
  parameters.find(({ isHead }) => isHead)!;
