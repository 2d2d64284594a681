/** @file Parts that several requests share, as schemas: they check what comes in and are the document of the API. */
import { z } from '@hono/zod-openapi';
import { ID_RULES } from '../store/ids.ts';

const id = (kind: keyof typeof ID_RULES) =>
  z.string().regex(ID_RULES[kind].pattern, { error: ID_RULES[kind].words });

export const userId = id('user');
export const itemId = id('item');
export const adapterName = id('adapter');
export const keyName = id('key');

const jsonObject = z.record(z.string(), z.unknown());

/** An item of a history as callers give it. */
export const item = z.strictObject({
  id: itemId.optional(),
  time: z.string().min(1).max(64).optional(),
  query: z.string().default(''),
  text: z.string().min(1),
  meta: jsonObject.optional(),
});

export const userChange = z.strictObject({
  adapter: adapterName.nullable().optional(),
  strength: z.number().nullable().optional(),
  meta: jsonObject.optional(),
});

export const itemList = z.strictObject({ items: z.array(item).min(1).max(10_000) });

export const keyRequest = z.strictObject({ name: keyName, expires: z.string().optional() });

const limit = z.coerce.number().int().min(1).max(500).default(50);

export const userQuery = z.strictObject({
  limit,
  after: userId.optional(),
  prefix: z.string().max(128).optional(),
});

export const historyQuery = z.strictObject({
  limit,
  after: itemId.optional(),
  order: z.enum(['oldest', 'newest']).default('oldest'),
});

export const forgetQuery = z.strictObject({ evidence: z.enum(['true', 'false']).default('true') });

/** How prompts are made, in place of what the adapter was trained with. */
export const promptFields = {
  maxHistory: z.number().int().min(0).max(1000).optional(),
  template: z.string().optional(),
  reference: z.enum(['removed', 'none-text']).optional(),
};

/** A history: the stored one, none, or items for one request only. */
export const history = z.union([z.literal('stored'), z.literal('none'), z.array(item).max(1000)]);

export const promptChoice = z.strictObject(promptFields);
