/**
 * @file The real SmolLM2-135M-Instruct writes what it writes in transformers (tests/golden/make/smollm2_generation.py).
 * Runs where NEXTQUILL_SMOLLM2 names its Q4_1 file, as tests/engine/gguf/smollm2.test.ts does.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openModel } from '../../../src/app/open/model-source.ts';
import { randomStream } from '../../../src/base/random.ts';
import { openTextGenerator } from '../../../src/engine/generate/decode.ts';

const file = process.env.NEXTQUILL_SMOLLM2;
if (file === undefined)
  console.warn(
    'SKIPPED: texts of the real SmolLM2; set NEXTQUILL_SMOLLM2 to SmolLM2-135M-Instruct.Q4_1.gguf to run it.',
  );

const { cases } = JSON.parse(readFileSync('tests/golden/smollm2-generation.json', 'utf8')) as {
  cases: { prompt: number[]; generated: number[] }[];
};

it.skipIf(file === undefined)(
  '64 likeliest tokens after each prompt are those of transformers, prompts together and alone',
  async () => {
    const model = await openModel(file!);
    // Token ids alone are compared: no text ends.
    const endless = { ...model, tokenizer: { ...model.tokenizer, endIds: [] } };
    await using generator = await openTextGenerator(endless);
    const tokensOf = async (prompts: readonly number[][]) => {
      const tokens: number[][] = prompts.map(() => []);
      const steps = generator.generate(
        prompts.map((ids) => ({ ids, random: randomStream(0, 'unused') })),
        { maxNewTokens: 64 },
      );
      for await (const { prompt, token } of steps) tokens[prompt]!.push(token);
      return tokens;
    };
    const expected = cases.map(({ generated }) => generated);
    expect(cases.length).toBeGreaterThanOrEqual(5);
    expect(await tokensOf(cases.map(({ prompt }) => prompt))).toEqual(expected);
    expect(await tokensOf([cases[0]!.prompt])).toEqual([expected[0]]);
  },
  1_200_000,
);
