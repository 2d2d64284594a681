/** @file What one caller may do at once and in a minute, and how often an address may guess a key. */
import { ApiError } from './api-error.ts';

interface Bucket {
  /** What is left; below 0 where a request cost more than was left. */
  level: number;
  at: number;
}

/** A bucket for each name that fills up within a minute. */
function buckets(perMinute: number) {
  const byName = new Map<string, Bucket>();
  const current = (name: string, now: number): Bucket => {
    const known = byName.get(name) ?? { level: perMinute, at: now };
    const level = Math.min(perMinute, known.level + ((now - known.at) / 60_000) * perMinute);
    // Full buckets are those of names that were not heard of for a while.
    if (byName.size > 10_000)
      for (const [other, { at }] of byName) if (now - at > 60_000) byName.delete(other);
    const bucket = { level, at: now };
    byName.set(name, bucket);
    return bucket;
  };
  /** Seconds until so much is there. */
  const wait = ({ level }: Bucket, wanted: number) =>
    Math.max(0, ((Math.min(wanted, perMinute) - level) / perMinute) * 60);
  return { current, wait, perMinute };
}

/** Limits of a key in a minute. */
export interface RateLimits {
  /** Takes one request. @throws {ApiError} 429 `rate_limit_exceeded` */
  take(key: string): void;
  /** Tokens that a request cost, once they are known. */
  spend(key: string, tokens: number): void;
  /** Headers as OpenAI's. */
  headers(key: string): Record<string, string>;
}

export function rateLimits(
  {
    requestsPerMinute,
    tokensPerMinute,
  }: { requestsPerMinute: number | undefined; tokensPerMinute: number | undefined },
  now: () => number,
): RateLimits {
  const kinds = [
    { kind: 'requests', of: requestsPerMinute === undefined ? undefined : buckets(requestsPerMinute) },
    { kind: 'tokens', of: tokensPerMinute === undefined ? undefined : buckets(tokensPerMinute) },
  ];
  return {
    take: (key) => {
      const time = now();
      for (const { kind, of } of kinds) {
        if (of === undefined) continue;
        const bucket = of.current(key, time);
        if (bucket.level >= 1) continue;
        throw new ApiError(429, `rate: expected at most ${of.perMinute} ${kind} a minute, got more`, {
          code: 'rate_limit_exceeded',
          retryAfter: of.wait(bucket, 1),
          hint: 'Send less, or ask for a higher limit.',
        });
      }
      const requests = kinds[0]!.of?.current(key, time);
      if (requests !== undefined) requests.level -= 1;
    },
    spend: (key, tokens) => {
      const bucket = kinds[1]!.of?.current(key, now());
      if (bucket !== undefined) bucket.level -= tokens;
    },
    headers: (key) =>
      Object.fromEntries(
        kinds.flatMap(({ kind, of }) => {
          if (of === undefined) return [];
          const bucket = of.current(key, now());
          return [
            [`x-ratelimit-limit-${kind}`, String(of.perMinute)],
            [`x-ratelimit-remaining-${kind}`, String(Math.max(0, Math.floor(bucket.level)))],
            [`x-ratelimit-reset-${kind}`, `${of.wait(bucket, of.perMinute).toFixed(3)}s`],
          ];
        }),
      ),
  };
}

/** Counts what runs and waits for one name. */
export interface Concurrency {
  /** @returns what gives the place back. @throws {ApiError} 429 when the name has as many as it may */
  enter(name: string): () => void;
}

export function concurrency(most: number, code: 'too_many_for_user' | 'too_many_for_key'): Concurrency {
  const counts = new Map<string, number>();
  return {
    enter: (name) => {
      const count = counts.get(name) ?? 0;
      if (count >= most)
        throw new ApiError(
          429,
          `${code === 'too_many_for_user' ? 'user' : 'key'}: expected at most ${most} requests at once, got one more`,
          { code, retryAfter: 1, hint: 'Wait for an answer before the next request.' },
        );
      counts.set(name, count + 1);
      let isGone = false;
      return () => {
        if (isGone) return;
        isGone = true;
        const left = counts.get(name)! - 1;
        if (left === 0) counts.delete(name);
        else counts.set(name, left);
      };
    },
  };
}

/** Wrong keys that an address may send in a minute. */
const MOST_FAILURES = 10;

/** Slows addresses that try keys. */
export interface FailureLimit {
  /** Counts a wrong key. @throws {ApiError} 429 where an address sent too many */
  failed(address: string): void;
}

export function failureLimit(now: () => number): FailureLimit {
  const of = buckets(MOST_FAILURES);
  return {
    failed: (address) => {
      const bucket = of.current(address, now());
      if (bucket.level < 1)
        throw new ApiError(429, `keys: expected at most ${MOST_FAILURES} wrong ones a minute, got more`, {
          code: 'rate_limit_exceeded',
          retryAfter: of.wait(bucket, 1),
        });
      bucket.level -= 1;
    },
  };
}
