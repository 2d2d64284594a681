/** @file An answer of server-sent events: heartbeats while it waits, a pause for slow readers, an end for those that stall or leave. */
import { ApiError, apiErrorOf, errorBody } from './api-error.ts';
import { clientLeft, type LiveRequest } from './context.ts';
import { type EventStream, eventStream } from './event-stream.ts';
import { errorForLog } from './request-log.ts';
import { json, type RouteRequest } from './route.ts';
import type { TextFlow } from './text-run.ts';

/** Bytes that wait for one reader before its text pauses. */
const MOST_WAITING = 64 * 1024;
/** Between comments while nothing else is sent. */
const HEARTBEAT_MS = 10_000;
/** A reader that stalled may still read why for so long. */
const LAST_WORDS_MS = 1000;

export interface AnswerWriter {
  send(data: unknown): void;
  /** A text that pauses while the reader is slow. */
  onFlow(flow: TextFlow): void;
}

/**
 * An answer whose events `write` sends; its end is `[DONE]`, or an error chunk for what it throws.
 * @param waiting what a heartbeat says
 */
export function streamedAnswer(
  { server, requestId, outgoing, told, finishLater }: RouteRequest,
  live: LiveRequest,
  waiting: () => string,
  write: (writer: AnswerWriter) => Promise<void>,
): Response {
  const flows = new Set<TextFlow>();
  let stall: NodeJS.Timeout | undefined;
  let isStalled = false;
  const events: EventStream = eventStream({
    most: MOST_WAITING,
    onFull: () => {
      for (const flow of flows) flow.pause();
      stall = setTimeout(() => {
        isStalled = true;
        told.outcome = 'stalled';
        live.stop(
          new ApiError(
            408,
            `reader: expected to take the answer, got none for ${server.settings.stallTimeout} s`,
            {
              code: 'reader_stalled',
            },
          ),
        );
      }, server.settings.stallTimeout * 1000);
    },
    onDrained: () => {
      clearTimeout(stall);
      for (const flow of flows) flow.resume();
    },
    onCancel: () => {
      clearTimeout(stall);
      live.stop(clientLeft());
    },
  });
  const heartbeat = setInterval(() => {
    if (events.waiting() === 0) events.comment(waiting());
  }, HEARTBEAT_MS);
  const fail = (error: ApiError, cause: unknown) => {
    told.code = error.code;
    if (error.status === 500) told.error = errorForLog(cause);
    told.outcome ??= error.status === 499 ? 'cancelled' : error.status === 504 ? 'timeout' : 'error';
    events.fail(errorBody(error));
    if (isStalled)
      setTimeout(() => {
        events.cut(error);
        outgoing?.destroy();
      }, LAST_WORDS_MS);
  };
  const run = async () => {
    try {
      await write({
        send: events.send,
        onFlow: (flow) => {
          flows.add(flow);
        },
      });
      events.done();
    } catch (error) {
      fail(apiErrorOf(error, requestId), error);
    } finally {
      clearInterval(heartbeat);
      clearTimeout(stall);
      live.end();
    }
  };
  finishLater(run());
  return new Response(events.stream, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  });
}

/** An answer of texts that are written while one waits for them. */
export interface WrittenAnswer {
  /** What a stream begins with, if anything. */
  readonly first?: () => unknown;
  /** Writes the texts. */
  run(send?: AnswerWriter['send'], onFlow?: AnswerWriter['onFlow']): Promise<void>;
  /** The answer as one document, once it has run. */
  whole(): unknown;
}

/**
 * The answer whole, or as a stream where that is asked for.
 * @param release called once, when nothing more will be written
 */
export async function writtenAnswer(
  context: RouteRequest,
  live: LiveRequest,
  answer: WrittenAnswer,
  {
    stream,
    headers,
    release,
  }: { stream: boolean; headers?: () => Record<string, string>; release: () => void },
): Promise<Response> {
  if (!stream)
    try {
      await answer.run();
      return json(answer.whole(), 200, headers?.());
    } finally {
      live.end();
      release();
    }
  const { queue } = context.server;
  return streamedAnswer(
    context,
    live,
    () => `waiting ${queue.waiting()}`,
    async ({ send, onFlow }) => {
      try {
        if (answer.first !== undefined) send(answer.first());
        await answer.run(send, onFlow);
      } finally {
        release();
      }
    },
  );
}
