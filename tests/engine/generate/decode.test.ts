/** @file Texts by cache: equal to transformers' (tests/golden/make/generation.py), independent of their neighbours, guided, ended, stopped. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { AbortedError, ConfigError } from '../../../src/base/errors.ts';
import { randomStream } from '../../../src/base/random.ts';
import {
  type DecodingOptions,
  type GenerationPrompt,
  type GenerationStep,
  openTextGenerator,
  type TextGenerator,
} from '../../../src/engine/generate/decode.ts';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { logitsOf } from '../../support/logits.ts';
import { letteredModel } from '../../support/tiny-model.ts';

const golden = JSON.parse(readFileSync('tests/golden/generation.json', 'utf8')) as {
  cases: { model: string; adapter: boolean; prompt: number[]; generated: number[] }[];
};

interface Text {
  readonly tokens: number[];
  readonly text: string;
  readonly finish: GenerationStep['finish'];
}

const prompt = (ids: readonly number[], name = 'a'): GenerationPrompt => ({
  ids,
  random: randomStream(3, name),
});

async function texts(
  generator: TextGenerator,
  prompts: readonly GenerationPrompt[],
  options: DecodingOptions,
): Promise<Text[]> {
  const steps: GenerationStep[][] = prompts.map(() => []);
  for await (const step of generator.generate(prompts, options)) steps[step.prompt]!.push(step);
  return steps.map((of) => ({
    tokens: of.map(({ token }) => token),
    text: of.map(({ text }) => text).join(''),
    finish: of.at(-1)?.finish,
  }));
}

const letter = (...ids: number[]) => ids.map((id) => String.fromCodePoint(0x4e00 + id)).join('');

describe('the likeliest tokens', () => {
  const runs = [...new Set(golden.cases.map(({ model, adapter }) => JSON.stringify({ model, adapter })))];
  it.each(runs)('are those of transformers: %s', async (run) => {
    const { model: name, adapter: adapted } = JSON.parse(run) as { model: string; adapter: boolean };
    const cases = golden.cases.filter((c) => c.model === name && c.adapter === adapted);
    const model = await letteredModel(name);
    const folder = resolve('tests/golden', name, 'adapter');
    const parameters = adapted ? { adapter: await loadAdapter(folder, model) } : {};
    await using generator = await openTextGenerator(model, parameters, { threads: 1 });
    const maxNewTokens = Math.max(...cases.map(({ generated }) => generated.length));
    const together = await texts(
      generator,
      cases.map((c) => prompt(c.prompt)),
      { maxNewTokens },
    );
    expect(together.map(({ tokens }) => tokens)).toEqual(cases.map((c) => c.generated));
    expect(together.every(({ finish }) => finish === 'length')).toBe(true);
  });
});

describe('drawn texts', async () => {
  const model = await letteredModel('tiny-llama');
  const generator = await openTextGenerator(model, {}, { threads: 1 });
  afterAll(() => generator[Symbol.asyncDispose]());
  const random = randomStream(2, 'tests/decode');
  const ids = (length: number) => Array.from({ length }, () => 3 + random.integer(58));
  const prompts = [ids(5), ids(1), ids(14), ids(9)].map((of, i) => () => prompt(of, `text ${i}`));
  const draw = {
    temperature: 1.2,
    topK: 30,
    topP: 0.95,
    minP: 0.01,
    repetitionPenalty: 1.1,
    maxNewTokens: 16,
  };

  it('depend on their own prompt and stream alone, and on no neighbour', async () => {
    const together = await texts(
      generator,
      prompts.map((make) => make()),
      draw,
    );
    expect(new Set(together.map(({ text }) => text)).size).toBe(prompts.length);
    for (const [i, make] of prompts.entries()) {
      expect(await texts(generator, [make()], draw)).toEqual([together[i]]);
      const reversed = [...prompts].reverse().map((other) => other());
      expect((await texts(generator, reversed, draw))[prompts.length - 1 - i]).toEqual(together[i]);
    }
  });

  it('of one prompt differ by their streams, and are those of separate runs', async () => {
    const same = (name: string) => prompt(prompts[2]!().ids, name);
    const several = await texts(generator, ['a', 'b', 'a'].map(same), draw);
    expect(several[0]).toEqual(several[2]);
    expect(several[0]).not.toEqual(several[1]);
    expect(await texts(generator, [same('b')], draw)).toEqual([several[1]]);
  });

  it('end at their own time: at an end token, a stop string, the last allowed token', async () => {
    const free = await texts(
      generator,
      prompts.map((make) => make()),
      draw,
    );
    const endId = free[0]!.tokens[4]!;
    const stopAt = free[2]!.tokens.slice(2, 4);
    await using ending = await openTextGenerator(
      await letteredModel('tiny-llama', [endId]),
      {},
      { threads: 1 },
    );
    const ended = await texts(
      ending,
      prompts.map((make) => make()),
      { ...draw, stop: [letter(...stopAt)] },
    );
    for (const [i, { tokens, text, finish }] of ended.entries()) {
      const all = free[i]!.tokens;
      expect(tokens).toEqual(all.slice(0, tokens.length));
      const atEnd = all.indexOf(endId);
      if (finish === 'end-of-turn') expect(tokens).toHaveLength(atEnd + 1);
      if (finish === 'length') expect(tokens).toHaveLength(16);
      const shown = finish === 'end-of-turn' ? tokens.slice(0, -1) : tokens;
      expect(text).toBe(letter(...(finish === 'stop' ? shown.slice(0, -2) : shown)));
    }
    expect(ended[0]!.finish).toBe('end-of-turn');
    expect(ended[2]!.finish).toBe('stop');
    expect(ended[2]!.tokens).toEqual(free[2]!.tokens.slice(0, 4));
  });

  it('give out what was held back for a stop string that did not come', async () => {
    const [free] = await texts(generator, [prompts[0]!()], draw);
    const stop = [`${letter(free!.tokens.at(-1)!)}never`];
    expect(await texts(generator, [prompts[0]!()], { ...draw, stop })).toEqual([free]);
  });

  it('are guided: the likeliest token by z₀ + s · (z − z₀), each with a cache of its own', async () => {
    const [a, b] = [prompts[2]!().ids, prompts[0]!().ids];
    const lastLogits = async (of: readonly number[]) => {
      const { data } = await logitsOf(model, of);
      return (data as Float32Array).slice(-model.config.vocabularySize);
    };
    const strength = 2.5;
    const guided = { ...prompt(a), guidance: { ids: b, strength } };
    const [text, plain] = await texts(generator, [guided, prompt(a)], { maxNewTokens: 6 });
    const expected: number[] = [];
    for (let t = 0; t < 6; t++) {
      const [z, reference] = [await lastLogits([...a, ...expected]), await lastLogits([...b, ...expected])];
      const mixed = reference.map((value, v) => value + strength * (z[v]! - value));
      expected.push(mixed.indexOf(Math.max(...mixed)));
    }
    expect(text!.tokens).toEqual(expected);
    expect(plain!.tokens).not.toEqual(expected);
  });

  it('penalise what was generated and not what the prompt holds', async () => {
    const repetitionPenalty = 100;
    const [text] = await texts(generator, [prompts[1]!()], { repetitionPenalty, maxNewTokens: 12 });
    expect(new Set(text!.tokens).size).toBe(12);
    const first = await texts(generator, [prompts[3]!()], { maxNewTokens: 1 });
    const holding = prompt([...prompts[3]!().ids]);
    expect(await texts(generator, [holding], { repetitionPenalty, maxNewTokens: 1 })).toEqual(first);
  });

  it('stop between tokens when the signal is aborted, and when nobody reads on', async () => {
    const controller = new AbortController();
    const seen: GenerationStep[] = [];
    const run = async () => {
      for await (const step of generator.generate([prompts[0]!()], { signal: controller.signal })) {
        seen.push(step);
        if (seen.length === 3) controller.abort();
      }
    };
    await expect(run()).rejects.toThrow(AbortedError);
    expect(seen).toHaveLength(3);
    for await (const _ of generator.generate([prompts[0]!()])) break;
    expect(await texts(generator, [prompts[0]!()], draw)).toHaveLength(1);
  });

  it('are refused where the options or the prompt leave nothing to write', async () => {
    const refused = (options: DecodingOptions, of = prompts[0]!()) =>
      expect(texts(generator, [of], options)).rejects.toThrow(ConfigError);
    await refused({ maxNewTokens: 0 });
    await refused({ topP: 2 });
    await refused({ stop: [''] });
    await refused({}, prompt([]));
    await refused({}, prompt(new Array<number>(model.config.maxPositions).fill(3)));
  });
});
