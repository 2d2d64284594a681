/** @file Generated texts: seeds repeat, strengths are what they say, and texts end where they must. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, ConfigError } from '../../../src/base/errors.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import type { Example } from '../../../src/method/data/example.ts';
import type { Notice } from '../../../src/method/data/notice.ts';
import {
  copiedText,
  type GeneratedToken,
  type GenerationOptions,
  generate,
  generateAll,
} from '../../../src/method/generation/generate.ts';
import { defaultPromptSettings, promptPair } from '../../../src/method/prompts/pair.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { logitsOf } from '../../support/logits.ts';
import { writeModelFolder, zeroWeights } from '../../support/model-folder.ts';
import { newUser, writtenUsers } from '../../support/written-users.ts';

const prompt = defaultPromptSettings(1024);
const example = writtenUsers[0]!;
let folder: string;
let scored: ScoredModel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-generate-'));
  await writeModelFolder(folder);
  scored = { model: await loadModel(folder, join(folder, 'cache')) };
});
afterAll(() => rm(folder, { recursive: true }));

async function generated(
  options: Partial<GenerationOptions> = {},
  of: Example = example,
): Promise<{ tokens: number[]; text: string }> {
  const tokens: number[] = [];
  let text = '';
  for await (const next of generate(scored, of, { prompt, maxNewTokens: 8, threads: 1, ...options })) {
    tokens.push(next.token);
    text += next.text;
  }
  return { tokens, text };
}

/** Logits of every token of the vocabulary right after a prompt, by a whole pass. */
async function nextLogits(promptIds: readonly number[]): Promise<number[]> {
  const { config, tokenizer } = scored.model;
  const { data } = await logitsOf(scored.model, promptIds);
  const start = (promptIds.length - 1) * config.vocabularySize;
  return [...(data as Float32Array).subarray(start, start + tokenizer.vocabularySize)];
}

describe('strength', () => {
  it('0 writes as without history, and 1 as with it', async () => {
    for (const draw of [{}, { temperature: 1, seed: 4 }]) {
      const withHistory = await generated(draw);
      const without = await generated({ ...draw, history: false });
      expect(without.tokens).not.toEqual(withHistory.tokens);
      expect(await generated({ ...draw, strength: 0 })).toEqual(without);
      expect(await generated({ ...draw, strength: 1 })).toEqual(withHistory);
    }
  });

  it('s takes the likeliest token by the logits without history plus s times the difference', async () => {
    const { tokenizer } = scored.model;
    const pair = promptPair(example, tokenizer, prompt);
    const withHistory = await nextLogits(pair.withHistoryIds);
    const without = await nextLogits(pair.withoutHistoryIds);
    const firsts = new Set<number>();
    for (const strength of [-4, 0.5, 6]) {
      const mixed = without.map((value, id) => value + strength * (withHistory[id]! - value));
      const likeliest = mixed.indexOf(Math.max(...mixed));
      firsts.add(likeliest);
      expect((await generated({ strength, maxNewTokens: 1 })).tokens).toEqual([likeliest]);
    }
    expect(firsts.size).toBeGreaterThan(1);
  });

  it('changes nothing for a user without history', async () => {
    const plain = await generated({ history: false }, newUser);
    expect(plain.tokens.length).toBeGreaterThan(0);
    for (const strength of [0, 1, 5]) expect(await generated({ strength }, newUser)).toEqual(plain);
  });

  it('0 shows another user’s history where the reference value is a placebo', async () => {
    const placebo = writtenUsers[1]!.history;
    const options = { prompt: { ...prompt, reference: 'placebo' as const }, placebo };
    const other = await generated({}, { ...example, history: placebo });
    expect(await generated({ ...options, strength: 0 })).toEqual(other);
    expect(await generated(options)).toEqual(await generated());
  });
});

describe('drawing', () => {
  it('repeats by its seed, and another seed draws another text', async () => {
    const draw = { temperature: 1, seed: 1 };
    const first = await generated(draw);
    expect(await generated(draw)).toEqual(first);
    expect(await generated({ ...draw, seed: 2 })).not.toEqual(first);
  });

  it('takes the likeliest token at temperature 0 whatever the seed, and with the smallest share', async () => {
    const likeliest = await generated();
    expect(await generated({ seed: 9 })).toEqual(likeliest);
    expect(await generated({ temperature: 1, topP: 1e-9, seed: 3 })).toEqual(likeliest);
  });

  it('writes several texts of several examples, each the one it would be alone', async () => {
    const examples = writtenUsers.slice(0, 3);
    const draw = { prompt, threads: 1, temperature: 1, strength: 1.5, maxNewTokens: 6, count: 3 };
    const texts = new Map<string, number[]>();
    const requests = examples.map((each) => ({ example: each }));
    for await (const { example: index, sample, token } of generateAll(scored, requests, draw)) {
      const name = `${index}/${sample}`;
      texts.set(name, [...(texts.get(name) ?? []), token]);
    }
    expect(texts.size).toBe(9);
    expect(new Set([...texts.values()].map(String)).size).toBe(9);
    for (const [index, each] of examples.entries()) {
      const alone = await generated({ ...draw, count: 1 }, each);
      expect(texts.get(`${index}/0`)).toEqual(alone.tokens);
    }
  });

  it('ends before a stop string', async () => {
    const free = await generated();
    const stop = free.text.slice(6, 9);
    const { text } = await generated({ stop: [stop] });
    expect(text).toBe(free.text.slice(0, free.text.indexOf(stop)));
  });

  it('refuses numbers out of range', async () => {
    for (const wrong of [{ temperature: -1 }, { topP: 1.5 }, { strength: Number.NaN }, { count: 0 }])
      await expect(generated(wrong)).rejects.toThrow(ConfigError);
    for (const maxNewTokens of [-1, 1.5, Number.NaN])
      await expect(generated({ maxNewTokens })).rejects.toThrow(ConfigError);
  });
});

describe('the text', () => {
  it('comes in pieces that are whole characters, together what its tokens spell', async () => {
    const { tokens, text } = await generated({ temperature: 1.5, seed: 5, maxNewTokens: 30 });
    expect(tokens).toHaveLength(30);
    expect(scored.model.tokenizer.decode(tokens).startsWith(text)).toBe(true);
    expect(text.length).toBeGreaterThan(20);
  });

  // Control tokens stood in the text.
  it('ends with the end-of-turn token, and no special token is shown', async () => {
    // All logits are 0: the first four ids share 4 / V of the probability. All are special, the end of turn is one.
    const { vocabularySize, endOfTurnId, isSpecial } = scored.model.tokenizer;
    const drawn: number[] = [];
    let text = '';
    const some = { prompt, threads: 1, temperature: 1, topP: 4 / vocabularySize, maxNewTokens: 64 };
    const zero = { model: scored.model, trained: zeroWeights(scored.model) };
    for await (const step of generate(zero, example, some)) {
      drawn.push(step.token);
      text += step.text;
      expect(step.finish).toBe(step.token === endOfTurnId ? 'end-of-turn' : undefined);
    }
    expect(drawn.length).toBeLessThan(64);
    expect(drawn.indexOf(endOfTurnId)).toBe(drawn.length - 1);
    expect(drawn.length).toBeGreaterThan(1);
    expect(drawn.every(isSpecial)).toBe(true);
    expect(text).toBe('');
  });

  it('ends where the model has no more positions', async () => {
    const long = { ...example, history: [], query: 'mug '.repeat(330), response: '?' };
    const { withHistoryIds } = promptPair(long, scored.model.tokenizer, prompt);
    const room = 1024 - withHistoryIds.length;
    expect(room).toBeGreaterThan(1);
    expect(room).toBeLessThan(64);
    expect((await generated({ maxNewTokens: 64 }, long)).tokens).toHaveLength(room);
  });

  it('leaves room for what may be written, whatever the example’s own response is', async () => {
    const items = Array.from({ length: 8 }, (_, i) => ({ id: `m${i}`, query: '', text: 'mug '.repeat(40) }));
    const long = { ...example, history: items };
    const write = (response: string) => generated({ maxNewTokens: 300 }, { ...long, response });
    const short = await write('A mug.');
    expect(short.tokens.length).toBeGreaterThan(200);
    expect(await write('kettle '.repeat(900))).toEqual(short);
  });

  it('stops when it is aborted, and says when the history does not fit', async () => {
    await expect(generated({ signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
    const notices: Notice[] = [];
    const long = { ...example, history: [{ id: 'l', query: '', text: 'kettle '.repeat(1100) }] };
    await generated({ maxNewTokens: 1, onNotice: (notice) => notices.push(notice) }, long);
    expect(notices).toEqual([expect.objectContaining({ code: 'prompts/history-hidden' })]);
  });
});

describe('copying', () => {
  const all = { prompt, maxNewTokens: 12, threads: 1 };

  it('is counted with the last token: the share, and the items that the runs come from', async () => {
    const finals: GeneratedToken[] = [];
    for await (const next of generate(scored, example, all)) if (next.copied) finals.push(next);
    expect(finals).toHaveLength(1);
    const shown = example.history;
    const text = `Indeed, ${shown[0]!.text}`;
    const { share, runs } = copiedText(text, shown);
    expect(runs.map(({ item }) => item)).toEqual([shown[0]!.id]);
    expect(shown[0]!.text).toContain(text.slice(runs[0]!.start, runs[0]!.end));
    expect(share).toBeGreaterThan(0.5);
    expect(copiedText('nothing of the kind was ever written here', shown).share).toBe(0);
  });

  it('is cut where a run would be longer than allowed, and only there', async () => {
    // The greedy text of this model, given to it as history: without a limit it is what would be written again.
    const { model } = scored;
    const free = await generated({ maxNewTokens: 12, copyPenalty: 0 });
    const echo = {
      ...example,
      history: [{ ...example.history[0]!, text: model.tokenizer.decode(free.tokens) }],
    };
    const runOf = (tokens: readonly number[]) => {
      const source = model.tokenizer.encode(echo.history[0]!.text).ids;
      let longest = 0;
      for (let from = 0; from < tokens.length; from++)
        for (let to = from + 1; to <= tokens.length; to++)
          if (`,${source.join()},`.includes(`,${tokens.slice(from, to).join()},`))
            longest = Math.max(longest, to - from);
      return longest;
    };
    for (const limit of [1, 2]) {
      const { tokens } = await generated({ maxNewTokens: 12, maxCopiedTokens: limit }, echo);
      expect(runOf(tokens)).toBeLessThanOrEqual(limit);
    }
  });
});
