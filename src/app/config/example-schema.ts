/** @file The JSON Schema of examples, which editors and other tools check files by; `parseExample` is what reads them. */
import { z } from 'zod';

const name = z.union([z.string().min(1), z.int()]);
const time = z
  .union([z.string(), z.number()])
  .nullish()
  .describe('ISO 8601 (2021, 2021-03-04, 2021-03-04T10:00:00Z), unix time, or a plain date such as 2021/3/4');
const meta = z.record(z.string(), z.unknown()).nullish().describe('anything else; kept, and not read');

const itemSchema = z
  .looseObject({
    id: name.nullish().describe('unique within this history; h1, h2, … by default'),
    time,
    query: z.string().nullish().describe('what the text answers, such as a title'),
    text: z.string().min(1).describe('what the user wrote'),
    authors: z
      .array(z.string())
      .min(1)
      .nullish()
      .describe('all who wrote it, by their user names, where there are several'),
    meta,
  })
  .describe('one earlier text');

const causeSchema = z.strictObject({
  start: z.int().min(0).describe('where it begins in the response, in UTF-16 code units'),
  end: z.int().min(1).describe('where it ends, exclusive'),
  cause: z.enum(['user', 'query', 'both', 'neither']),
  logRatio: z.number().optional().describe('the generator’s own log ratio, nats'),
});

export const exampleSchema = z
  .looseObject({
    id: name.nullish().describe('unique within the file; the number of the line by default'),
    user: name.describe('who wrote the response and the history'),
    time,
    query: z.string().describe('what is asked; the prompt template wraps it'),
    response: z.string().min(1).describe('what the user wrote'),
    history: z
      .array(itemSchema)
      .describe('earlier texts of the user, oldest first, each strictly before the response'),
    domain: name.nullish().describe('what the text is about, such as books'),
    split: z.enum(['train', 'validation', 'test']).nullish(),
    causes: z
      .array(causeSchema)
      .nullish()
      .describe('of simulated data: spans that cover the response, and who decided them'),
    meta,
  })
  .describe('one line of a file of examples');

/** The schema as JSON Schema. */
export function exampleJsonSchema(): unknown {
  return z.toJSONSchema(exampleSchema, { io: 'input' });
}
