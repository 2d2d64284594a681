/** @file The tokens of a vocabulary from the likeliest down, sorted only as far as they are asked for. */

/**
 * Ids by falling logit, the lower id first among equals.
 * Cost: O(V) to begin (a heap), O(log V) for each id that is taken.
 */
export function* likeliestFirst(logits: Float32Array): Generator<number> {
  const heap = Int32Array.from(logits, (_, id) => id);
  let size = heap.length;
  const comesFirst = (a: number, b: number) =>
    logits[a]! > logits[b]! || (logits[a]! === logits[b]! && a < b);
  const sink = (from: number) => {
    const id = heap[from]!;
    let hole = from;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && comesFirst(heap[child + 1]!, heap[child]!)) child++;
      if (!comesFirst(heap[child]!, id)) break;
      heap[hole] = heap[child]!;
      hole = child;
    }
    heap[hole] = id;
  };
  for (let i = (size >> 1) - 1; i >= 0; i--) sink(i);
  while (size > 0) {
    yield heap[0]!;
    heap[0] = heap[--size]!;
    sink(0);
  }
}
