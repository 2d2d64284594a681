/** @file Files of examples damaged, and the scores that an audit keeps. */
import { mkdtempSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { RandomStream } from '../../src/base/random.ts';
import { scoreFile } from '../../src/method/audit/score-store.ts';
import { examplesFromJsonl, writeExamples } from '../../src/method/data/jsonl.ts';
import { checkLeakage } from '../../src/method/data/leakage.ts';
import { promptKey, scoresThroughKeeper } from '../../src/method/scoring/score-keeper.ts';
import { type MutationTarget, mutateBytes, mutateJson, mutateText } from './mutations.ts';
import { tinyModel } from './tiny-model.ts';
import { writtenUsers } from './written-users.ts';

const folder = mkdtempSync(join(tmpdir(), 'nextquill-mutants-'));
const examples = writtenUsers.map((example, i) => ({
  ...example,
  domain: 'mugs',
  split: i === 0 ? ('train' as const) : ('test' as const),
  causes: [{ start: 0, end: example.response.length, cause: 'user' as const }],
  meta: { rating: 5 },
}));
const lines = examples.map((example) => JSON.stringify(example));

function damagedFile(random: RandomStream): string | Uint8Array {
  const text = `${lines.join('\n')}\n`;
  const kind = random.integer(4);
  if (kind === 0) return mutateBytes(new TextEncoder().encode(text), random);
  if (kind === 1) return mutateText(text, random);
  const at = random.integer(lines.length);
  return lines
    .map((line, i) => (i === at ? JSON.stringify(mutateJson(JSON.parse(line), random)) : line))
    .join('\n');
}

/** The prompts whose scores the damaged file holds. */
const prompts = [1, 2, 3, 4].map((id) => ({ promptIds: [id], responseIds: [id, 5] }));
const scoresOf = (id: number) => Float32Array.of(-id, -0.5);

export const dataTargets: readonly MutationTarget[] = [
  {
    name: 'examples',
    tryMutant: async (random) => {
      const path = join(folder, 'mutant.jsonl');
      await writeFile(path, damagedFile(random));
      const read = await examplesFromJsonl(path);
      checkLeakage(read);
      const again = join(folder, 'again.jsonl');
      await writeExamples(again, read);
      if (!isDeepStrictEqual(await examplesFromJsonl(again), read))
        throw new Error('what was read is not what comes back when it is written');
    },
  },
  {
    name: 'scores.jsonl',
    tryMutant: async (random) => {
      const path = join(folder, 'scores.jsonl');
      const scored = { model: await tinyModel() };
      await writeFile(path, '');
      {
        await using store = await scoreFile(path, scored);
        await store.put(
          prompts.map((prompt, i) => [
            promptKey(prompt),
            { tokenIds: prompt.responseIds, values: { logProbability: scoresOf(i + 1) } },
          ]),
        );
      }
      await writeFile(path, mutateBytes(await readFile(path), random));
      await using store = await scoreFile(path, scored);
      // What is damaged is computed again.
      const scoring = {
        keyOf: promptKey,
        compute: async function* (
          items: readonly (typeof prompts)[number][],
          isWanted: (place: number) => boolean,
        ) {
          const places = items.map((_, place) => place).filter(isWanted);
          yield places.map((place) => [place, { logProbability: scoresOf(place + 1) }] as const);
        },
      };
      const scores = await scoresThroughKeeper(prompts, scoring, store);
      for (const [i, { logProbability }] of scores.entries())
        if (!isDeepStrictEqual(logProbability, scoresOf(i + 1)))
          throw new Error(`scores of prompt ${i + 1} that are others: ${logProbability}`);
    },
  },
];
