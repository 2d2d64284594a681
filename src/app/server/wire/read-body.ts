/** @file From the bytes of a body to a checked value: its size, its JSON, its schema; what is wrong is told by its place. */
import type { z } from '@hono/zod-openapi';
import { nearestName } from '../../../base/errors.ts';
import { expectation } from '../../config/expectation.ts';
import { ApiError, invalid } from '../api-error.ts';
import { parametersWithoutEffect, unsupportedParameters } from './text-requests.ts';

/** Nested deeper than this no request of ours is. */
const MOST_DEPTH = 64;

/** The bytes of a body. @throws {ApiError} 413 `body_too_large` for more than `most` */
export async function readBytes(request: Request, most: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new ApiError(413, `body: expected at most ${most} bytes, got more`, {
      code: 'body_too_large',
      param: 'body',
      hint: 'Send less at once.',
    });
  if (Number(request.headers.get('content-length') ?? 0) > most) throw tooLarge();
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = request.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done || value === undefined) break;
    size += value.length;
    if (size > most) {
      await reader!.cancel();
      throw tooLarge();
    }
    parts.push(value);
  }
  return Buffer.concat(parts);
}

const invalidJson = (where: string, got: string) => invalid(where, 'JSON', got, { code: 'invalid_json' });

/**
 * A JSON value.
 * @param where names the text in an error, such as `body` or `line 3`
 * @throws {ApiError} 400 for what is no JSON, is nested too deeply, or holds half of a surrogate pair
 */
export function parseJson(bytes: Uint8Array, where: string): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalidJson(where, 'bytes that are not UTF-8');
  }
  if (depthOf(text) > MOST_DEPTH)
    throw invalidJson(where, `more than ${MOST_DEPTH} levels of lists and objects`);
  let value: unknown;
  try {
    value = JSON.parse(text, (key, each: unknown) => {
      if (key === '__proto__') throw new SyntaxError('a key named __proto__');
      return each;
    });
  } catch (cause) {
    throw invalidJson(
      where,
      text.trim() === '' ? 'nothing' : `something else: ${(cause as Error).message.slice(0, 60)}`,
    );
  }
  if (hasHalfPair(value)) throw invalid(where, 'texts of well-formed Unicode', 'half of a surrogate pair');
  return value;
}

/** How deeply brackets are nested, those in texts not counted. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isText = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (isText) {
      if (code === 0x5c) i++;
      else if (code === 0x22) isText = false;
    } else if (code === 0x22) isText = true;
    else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x5d || code === 0x7d) depth--;
  }
  return deepest;
}

function hasHalfPair(value: unknown): boolean {
  if (typeof value === 'string') return /\p{Surrogate}/u.test(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, each]) => hasHalfPair(key) || hasHalfPair(each));
}

/** JSON's null means absent for OpenAI's clients. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== null)
      .map(([key, each]) => [
        key,
        key === 'nextquill' || key === 'stream_options' ? withoutNulls(each) : each,
      ]),
  );
}

/** How a value is checked. */
export interface Checking {
  /** Whether null stands for absent at the top; it means "remove" elsewhere. */
  readonly nullIsAbsent?: boolean;
  /** Before the path in the name of a parameter, such as `line 3: `. */
  readonly where?: string;
}

/**
 * A value that fits its schema.
 * @throws {ApiError} 400 with the first thing that is wrong
 */
export function checked<T extends z.ZodType>(
  schema: T,
  given: unknown,
  { nullIsAbsent = false, where = '' }: Checking = {},
): z.infer<T> {
  const value = nullIsAbsent ? withoutNulls(given) : given;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  throw issueError(
    deepest(issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!),
    value,
    where,
  );
}

/** Of a union the complaint of the alternative that went furthest. */
function deepest(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue;
  const inner = issue.errors
    .flatMap((issues) => issues.slice(0, 1))
    .map((each) => deepest({ ...each, path: [...issue.path, ...each.path] } as z.core.$ZodIssue))
    .sort((a, b) => b.path.length - a.path.length)[0];
  return inner !== undefined && inner.path.length > issue.path.length ? inner : issue;
}

function issueError(issue: z.core.$ZodIssue, value: unknown, where: string): ApiError {
  const path = pathText(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const [key] = issue.keys;
    const param = path === '' ? key! : `${path}.${key}`;
    const known = unsupportedParameters.has(key!);
    const near = known ? undefined : nearestName(key!, nextquillNames(path));
    return new ApiError(
      400,
      `${where}${param}: expected a parameter of this server, got one that it does not ${known ? 'support' : 'know'}`,
      {
        code: known ? 'unsupported_parameter' : 'unknown_parameter',
        param,
        hint: near === undefined ? `Remove ${param}.` : `Did you mean "${near}"?`,
      },
    );
  }
  const got = issue.path.reduce<unknown>(
    (at, name) => (at as Record<PropertyKey, unknown> | undefined)?.[name],
    value,
  );
  const param = path === '' ? 'body' : path;
  const isUnsupported = parametersWithoutEffect.has(String(issue.path[0]));
  return invalid(`${where}${param}`, expected(issue), describe(got), {
    code: isUnsupported ? 'unsupported_parameter' : 'invalid_parameter',
    ...(isUnsupported && { hint: `Remove ${param}.` }),
  });
}

const expected = (issue: z.core.$ZodIssue): string =>
  issue.code === 'invalid_union' ? 'one of the forms of the document at /openapi.json' : expectation(issue);

const names: Readonly<Record<string, readonly string[]>> = {
  nextquill: [
    ...['user', 'create', 'strength', 'history', 'adapter', 'maxHistory', 'template', 'reference'],
    ...['effects', 'items', 'remember'],
  ],
};
const nextquillNames = (path: string) => names[path] ?? [];

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/** A value as it is told: texts of users only by their length. */
function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return `a text of ${value.length} characters`;
  return Array.isArray(value) ? `a list of ${value.length}` : 'an object';
}
