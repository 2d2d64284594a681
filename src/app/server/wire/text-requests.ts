/** @file The bodies of chat completions, completions and effects. Whatever they do not name is refused by its name. */
import { z } from '@hono/zod-openapi';
import { adapterName, history, promptFields, userId } from './fields.ts';

/** What OpenAI's clients may send that changes nothing here. */
const ignored = {
  metadata: z.unknown().optional(),
  store: z.unknown().optional(),
  service_tier: z.unknown().optional(),
  safety_identifier: z.unknown().optional(),
  prompt_cache_key: z.unknown().optional(),
  parallel_tool_calls: z.unknown().optional(),
  presence_penalty: z.literal(0).optional(),
  frequency_penalty: z.literal(0).optional(),
};

const stop = z.union([z.string().min(1), z.array(z.string().min(1).max(1000)).max(16)]).optional();

const drawing = {
  max_tokens: z.number().int().min(0).optional(),
  temperature: z.number().min(0).max(2).default(1),
  top_p: z.number().min(0).max(1).default(1),
  top_k: z.number().int().min(-1).default(0),
  min_p: z.number().min(0).max(1).default(0),
  repetition_penalty: z.number().min(0.01).max(100).default(1),
  seed: z.number().int().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER).optional(),
  stop,
  n: z.number().int().min(1).max(8).default(1),
  stream: z.boolean().default(false),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).optional(),
};

const content = z.union([
  z.string(),
  z.array(z.strictObject({ type: z.literal('text'), text: z.string() })).min(1),
]);

const message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.enum(['system', 'developer', 'user']), content }),
  // What an answer of ours looks like when it is sent back.
  z.strictObject({ role: z.literal('assistant'), content, refusal: z.null().optional() }),
]);

/** NextQuill's own fields of a chat. */
export const nextquillChat = z.strictObject({
  user: userId.optional(),
  create: z.boolean().default(false),
  strength: z.number().optional(),
  history: history.default('stored'),
  adapter: z.union([z.literal('auto'), z.literal('none'), adapterName]).default('auto'),
  ...promptFields,
  effects: z.boolean().default(false),
  items: z.boolean().default(false),
  remember: z.boolean().default(false),
});

export const chatRequest = z.strictObject({
  model: z.string().min(1),
  messages: z.array(message).min(1).max(256),
  max_completion_tokens: z.number().int().min(1).optional(),
  ...drawing,
  logprobs: z.boolean().default(false),
  top_logprobs: z.number().int().min(0).max(20).optional(),
  user: userId.optional(),
  tools: z.array(z.unknown()).max(0).optional(),
  tool_choice: z.literal('none').optional(),
  response_format: z.strictObject({ type: z.literal('text') }).optional(),
  nextquill: nextquillChat.optional(),
  ...ignored,
});
export type ChatRequest = z.infer<typeof chatRequest>;

const tokenIds = z.array(z.number().int().min(0)).min(1);

export const completionRequest = z.strictObject({
  model: z.string().min(1),
  prompt: z.union([
    z.string(),
    tokenIds,
    z.array(z.string()).min(1).max(32),
    z.array(tokenIds).min(1).max(32),
  ]),
  ...drawing,
  echo: z.boolean().default(false),
  logprobs: z.number().int().min(0).max(20).optional(),
  prompt_logprobs: z.number().int().min(0).max(20).optional(),
  return_token_ids: z.boolean().default(false),
  nextquill: z.strictObject({ adapter: z.union([z.literal('none'), adapterName]).optional() }).optional(),
  ...ignored,
});
export type CompletionRequest = z.infer<typeof completionRequest>;

export const effectsRequest = z.strictObject({
  model: z.string().min(1),
  user: userId.optional(),
  query: z.string(),
  response: z.string().min(1),
  history: history.default('stored'),
  adapter: z.union([z.literal('auto'), z.literal('none'), adapterName]).default('auto'),
  ...promptFields,
  effects: z.array(z.enum(['logRatio', 'probability', 'divergence'])).optional(),
  placebo: z.number().int().min(0).max(50).default(0),
  items: z.boolean().default(false),
  seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  stream: z.boolean().default(false),
});
export type EffectsRequest = z.infer<typeof effectsRequest>;

/** Parameters of OpenAI and vLLM that this server has not: refused as unsupported rather than unknown. */
export const unsupportedParameters: ReadonlySet<string> = new Set([
  ...['audio', 'functions', 'function_call', 'logit_bias', 'modalities', 'prediction', 'reasoning_effort'],
  ...['verbosity', 'web_search_options', 'prompt_cache_retention', 'suffix', 'best_of', 'user', 'name'],
  ...['tool_calls', 'tool_call_id', 'ignore_eos', 'min_tokens', 'stop_token_ids', 'skip_special_tokens'],
  ...[
    'guided_json',
    'guided_regex',
    'guided_choice',
    'guided_grammar',
    'structured_outputs',
    'use_beam_search',
  ],
  ...['length_penalty', 'priority', 'cache_salt', 'include_stop_str_in_output', 'truncate_prompt_tokens'],
  'echo',
  ...['include_obfuscation', 'continuous_usage_stats', 'return_tokens_as_token_ids', 'chat_template'],
]);

/** Parameters that are taken with the one value that changes nothing: any other is unsupported. */
export const parametersWithoutEffect: ReadonlySet<string> = new Set([
  ...['tools', 'tool_choice', 'response_format', 'presence_penalty', 'frequency_penalty'],
]);
