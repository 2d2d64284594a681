/** @file Errors as OpenAI's clients read them: a status, and `{"error": {message, type, param, code}}`. */
import { AbortedError, ConfigError, DataError, NextQuillError } from '../../base/errors.ts';

export type ApiErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'conflict_error'
  | 'rate_limit_error'
  | 'server_error';

/** What OpenAI's clients find in a body. */
export interface ApiErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: ApiErrorType;
    readonly param: string | null;
    readonly code: string;
  };
}

interface ApiErrorOptions {
  readonly code: string;
  /** The part of the request that is wrong, such as `messages[0].content`. */
  readonly param?: string | undefined;
  readonly hint?: string | undefined;
  /** Seconds after which a repetition may succeed. */
  readonly retryAfter?: number | undefined;
  /** False for what stays as it is: clients then do not repeat a conflict. */
  readonly shouldRetry?: boolean | undefined;
  readonly cause?: unknown;
}

/** An answer that is an error. */
export class ApiError extends NextQuillError {
  readonly status: number;
  readonly param: string | undefined;
  readonly retryAfter: number | undefined;
  readonly shouldRetry: boolean | undefined;
  constructor(status: number, message: string, options: ApiErrorOptions) {
    const { code, hint, cause } = options;
    super(message, { code, ...(hint !== undefined && { hint }), ...(cause !== undefined && { cause }) });
    this.status = status;
    this.param = options.param;
    this.retryAfter = options.retryAfter;
    this.shouldRetry = options.shouldRetry;
  }
}

/** What a client does about it, by the status. */
function typeOf(status: number): ApiErrorType {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 409) return 'conflict_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

export function errorBody(error: ApiError): ApiErrorBody {
  const { message, hint, status, param = null, code } = error;
  return {
    error: {
      message: hint === undefined ? message : `${message}. ${hint}`,
      type: typeOf(status),
      param,
      code,
    },
  };
}

export function errorHeaders({ retryAfter, shouldRetry, status }: ApiError): Record<string, string> {
  return {
    ...(retryAfter !== undefined && {
      'retry-after': String(Math.ceil(retryAfter)),
      'retry-after-ms': String(Math.ceil(retryAfter * 1000)),
    }),
    ...(shouldRetry !== undefined && { 'x-should-retry': String(shouldRetry) }),
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
  };
}

/** A 400 that names what is wrong. */
export const invalid = (
  param: string,
  expected: string,
  got: string,
  options: { readonly code?: string; readonly hint?: string } = {},
): ApiError =>
  new ApiError(400, `${param}: expected ${expected}, got ${got}`, {
    code: 'invalid_parameter',
    param,
    ...options,
  });

/** Errors of the layers below that a caller can do something about: status, code, and the part of the request. */
const known: Readonly<Record<string, readonly [status: number, code: string, param?: string]>> = {
  'store/user-not-found': [404, 'user_not_found', 'user'],
  'store/item-not-found': [404, 'item_not_found', 'item'],
  'store/adapter-not-found': [404, 'adapter_not_found', 'name'],
  'store/key-not-found': [404, 'not_found', 'name'],
  'store/user-being-forgotten': [409, 'user_being_forgotten', 'user'],
  'store/item-conflict': [409, 'item_conflict', 'items'],
  'store/limit': [400, 'invalid_parameter', 'items'],
  'store/key-exists': [409, 'key_conflict', 'name'],
  'store/full': [507, 'store_full'],
  'data/too-long': [400, 'context_length_exceeded', 'messages'],
  'data/empty-response': [400, 'invalid_parameter', 'response'],
  'data/no-placebo': [400, 'invalid_parameter', 'placebo'],
  'data/too-few-others': [400, 'invalid_parameter', 'placebo'],
  'generate/prompt-length': [400, 'context_length_exceeded', 'prompt'],
  'tokenizer/chat-template': [400, 'template_refused', 'messages'],
  'config/range': [400, 'invalid_parameter'],
  'prompt/template': [400, 'invalid_parameter', 'nextquill.template'],
  'generate/memory': [503, 'overloaded'],
};

/** What a store refuses is the caller's, unless the store itself is damaged. */
const refusedByStore = (error: NextQuillError) =>
  error.code.startsWith('store/') && (error instanceof DataError || error instanceof ConfigError)
    ? ([400, 'invalid_parameter', /^\w+/.exec(error.message)?.[0]] as const)
    : undefined;

/**
 * The answer to whatever was thrown; nothing of an unexpected error shows but the id of the request.
 * @param requestId by which the log names the error
 */
export function apiErrorOf(error: unknown, requestId: string): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof AbortedError && error.cause instanceof ApiError) return error.cause;
  const found = error instanceof NextQuillError ? (known[error.code] ?? refusedByStore(error)) : undefined;
  if (found === undefined || !(error instanceof NextQuillError))
    return new ApiError(500, `internal error of request ${requestId}`, {
      code: 'internal_error',
      hint: 'Look for the request id in the log of the server.',
      cause: error,
    });
  const [status, code, param] = found;
  const isLasting = code === 'item_conflict' || code === 'key_conflict';
  return new ApiError(status, error.message, {
    code,
    param: param ?? (error.code === 'config/range' ? /^\w+/.exec(error.message)?.[0] : undefined),
    hint: error.hint,
    cause: error,
    ...(isLasting && { shouldRetry: false }),
    ...((code === 'user_being_forgotten' || status >= 500) && { retryAfter: 1 }),
  });
}
