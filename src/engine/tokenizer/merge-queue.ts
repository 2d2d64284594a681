/** @file The queue of the BPE trainer: the most frequent pair first, the smallest pair among equals. */

/** A pair of token ids as one number, and how often it occurred when it was queued. */
export interface QueuedPair {
  readonly pair: number;
  readonly frequency: number;
}

/** A binary heap. Counts change after a pair is queued: the caller checks what it pops, and queues it anew. */
export class MergeQueue {
  readonly #heap: QueuedPair[] = [];

  push(pair: number, frequency: number): void {
    const heap = this.#heap;
    const added = { pair, frequency };
    let at = heap.length;
    heap.push(added);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(added, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = added;
  }

  /** Takes the first pair out; undefined when the queue is empty. */
  pop(): QueuedPair | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

const isBefore = (a: QueuedPair, b: QueuedPair) =>
  a.frequency !== b.frequency ? a.frequency > b.frequency : a.pair < b.pair;
