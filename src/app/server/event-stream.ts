/**
 * @file Server-sent events as a pull stream of our own: unnamed events, a bounded buffer, and an end that is either
 * `[DONE]` or an error chunk. Hono's `streamSSE` names its error events, which the `openai` client cannot read.
 */

export interface EventStreamOptions {
  /** Bytes that may wait for the reader. */
  readonly most: number;
  /** The buffer is full: make nothing more; and: the reader took enough of it. */
  readonly onFull: () => void;
  readonly onDrained: () => void;
  /** The reader is gone. */
  readonly onCancel: () => void;
}

export interface EventStream {
  readonly stream: ReadableStream<Uint8Array>;
  /** Bytes that wait for the reader. */
  waiting(): number;
  send(data: unknown): void;
  /** A line that readers skip: the connection is alive. */
  comment(text: string): void;
  /** Ends with `[DONE]`. */
  done(): void;
  /** Ends with an error chunk, without `[DONE]`. */
  fail(data: unknown): void;
  /** Ends at once: what waits is lost. */
  cut(reason: unknown): void;
}

const encoder = new TextEncoder();

export function eventStream({ most, onFull, onDrained, onCancel }: EventStreamOptions): EventStream {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  let isFull = false;
  let isEnded = false;
  let isClosed = false;
  let wake: (() => void) | undefined;
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const push = (text: string) => {
    if (isEnded) return;
    const part = encoder.encode(text);
    parts.push(part);
    bytes += part.length;
    if (bytes > most && !isFull) {
      isFull = true;
      onFull();
    }
    wake?.();
  };
  const end = (text: string) => {
    push(text);
    isEnded = true;
    wake?.();
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      start: (given) => {
        controller = given;
      },
      pull: async () => {
        if (bytes === 0 && !isEnded)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        wake = undefined;
        if (isClosed) return;
        if (bytes > 0) {
          controller.enqueue(Buffer.concat(parts));
          parts = [];
          bytes = 0;
          if (isFull) {
            isFull = false;
            onDrained();
          }
        }
        if (isEnded && bytes === 0) {
          isClosed = true;
          controller.close();
        }
      },
      cancel: () => {
        isEnded = true;
        isClosed = true;
        parts = [];
        onCancel();
      },
    },
    // Nothing is taken before it is asked for: the buffer here is the only one before the socket's.
    { highWaterMark: 0 },
  );
  return {
    stream,
    waiting: () => bytes,
    send: (data) => push(`data: ${JSON.stringify(data)}\n\n`),
    comment: (text) => push(`: ${text}\n\n`),
    done: () => end('data: [DONE]\n\n'),
    fail: (data) => end(`data: ${JSON.stringify(data)}\n\n`),
    cut: (reason) => {
      if (isClosed) return;
      isEnded = true;
      isClosed = true;
      parts = [];
      bytes = 0;
      controller.error(reason);
      wake?.();
    },
  };
}
