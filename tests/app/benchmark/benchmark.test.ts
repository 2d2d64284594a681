/** @file A benchmark from its recipe to its files, killed on the way and resumed; recipes that contradict themselves. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { benchmark } from '../../../src/app/benchmark/benchmark.ts';
import { benchmarkData } from '../../../src/app/benchmark/benchmark-data.ts';
import type { BenchmarkRecipe } from '../../../src/app/config/benchmark-recipe.ts';
import type { LeaderboardRow } from '../../../src/method/benchmark/leaderboard.ts';
import type { BenchmarkResult } from '../../../src/method/benchmark/results.ts';
import type { Example } from '../../../src/method/data/example.ts';
import { type Manifest, readManifest } from '../../../src/method/runs/manifest.ts';
import { runCli } from '../../support/run-cli.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-benchmark-'));
const recipe: BenchmarkRecipe = {
  out: 'out',
  models: [{ name: 'embedded', source: 'embedded' }],
  data: [{ name: 'simulated', simulated: { seed: 1, historyItems: 3 }, train: 6, validation: 4, test: 5 }],
  systems: ['no-history', 'latest', 'effect', 'sft', 'pairs', 'summary', 'cope'],
  baseline: 'latest',
  prompt: { maxTokens: 256, maxHistory: 1 },
  training: { learningRates: [0.001], maxSteps: 3, batchSize: 2, loraRank: 2 },
  strengths: [1, 1.5],
  others: 1,
  generate: { texts: 1, maxNewTokens: 4, summaryTokens: 5 },
  threads: 1,
};

const row0 = ({ means }: LeaderboardRow) => means.nllWithoutHistory.value;

/** Times of all finished parts. */
async function timesOf(folder: string) {
  const names = existsSync(folder) ? (await readdir(folder)).filter((name) => name.endsWith('.json')) : [];
  return new Map(names.map((name) => [name, statSync(join(folder, name)).mtimeMs]));
}

describe('a benchmark', () => {
  it('continues after a kill with what was finished, and then does nothing twice', async () => {
    writeFileSync(join(home, 'recipe.yaml'), JSON.stringify(recipe)); // JSON is YAML
    const cells = join(home, 'out/cells/embedded-simulated');
    const words = ['benchmark', 'recipe.yaml', '--json', '--quiet'];
    let watch: NodeJS.Timeout | undefined;
    const killed = await runCli(words, {
      cwd: home,
      onStart: (child) => {
        watch = setInterval(() => {
          if (existsSync(join(cells, 'latest-0.json'))) child.kill('SIGKILL');
        }, 20);
      },
    });
    clearInterval(watch);
    expect(killed.code).toBeNull();
    const before = await timesOf(cells);
    expect([...before.keys()]).toContain('no-history-0.json');
    expect(before.size).toBeLessThan(4);

    const resumed = await runCli(words, { cwd: home });
    expect(resumed.code).toBe(0);
    const after = await timesOf(cells);
    for (const [name, time] of before) expect(after.get(name)).toBe(time);
    const result = JSON.parse(resumed.stdout) as BenchmarkResult;
    const { leaderboard, systems } = result.boards[0]!;
    expect(leaderboard.rows.map(({ system }) => system)).toEqual(recipe.systems);
    expect(leaderboard.examples).toBe(5);
    expect(leaderboard.tests).toHaveLength(18);
    const [bare, latest, , trained] = leaderboard.rows;
    expect(bare!.means.total.value).toBe(0);
    expect(bare!.means.identified.value).toBe(0.5);
    // The embedded model has learnt to read simulated users' histories.
    expect(latest!.means.total.value).toBeGreaterThan(0.05);
    expect(trained!.seeds).toEqual([1]);
    expect(systems[3]!.cells[0]!.trainingSeconds).toBeGreaterThan(0);
    expect(systems[1]!.cells[0]!.written!.texts).toHaveLength(1);
    expect(systems.map(({ cells }) => cells[0]!.written!.authors!.candidates)).toEqual(Array(7).fill(2));
    const [pairs, summary, cope] = leaderboard.rows.slice(4);
    // The same items in other words, and a summary, are other prompts with another likelihood.
    for (const row of [pairs!, summary!])
      expect(row.means.nllWithHistory.value).not.toBeCloseTo(latest!.means.nllWithHistory.value, 3);
    expect(row0(pairs!)).toBeCloseTo(row0(latest!), 6);
    expect(systems[5]!.cells[0]!.summaryTokens).toBeGreaterThan(5);
    // Nothing is trained twice: cope is sft's adapter at the better of two strengths.
    expect(cope!.seeds).toEqual([1]);
    expect(systems[6]!.rate).toEqual(systems[3]!.rate);
    expect((await readdir(join(home, 'out/runs'))).length).toBe(1);
    const tried = systems[6]!.strength!.tried;
    expect(systems[6]!.strength!.chosen).toBe(tried[0]!.nll <= tried[1]!.nll ? 1 : 1.5);
    expect(resumed.stdout).not.toContain('"scores"');

    const again = await benchmark({ ...recipe, out: join(home, 'out') });
    expect(again.boards).toEqual(result.boards);
    expect(await timesOf(cells)).toEqual(after);
    // Systems that are not trained were scored again when only the training changed.
    await benchmark({
      ...{ ...recipe, out: join(home, 'out'), systems: ['no-history', 'latest', 'summary'] },
      training: { ...recipe.training, maxSteps: 9 },
    });
    expect(await timesOf(cells)).toEqual(after);
    // A system of one's own that is trained as sft gives sft's numbers; scaling the history of sft trains nothing.
    const own = await benchmark({
      ...{ ...recipe, out: join(home, 'out') },
      systems: ['latest', 'sft', { name: 'mine', objective: 'sft' }, { name: 'mine-scaled', scaled: 'mine' }],
    });
    const [, sft, mine] = own.boards[0]!.leaderboard.rows;
    expect(mine!.means).toEqual(sft!.means);
    expect(own.boards[0]!.systems[3]!.strength!.tried.map(({ strength }) => strength)).toEqual([1, 1.5]);
    expect((await readdir(join(home, 'out/runs'))).length).toBe(2);
    for (const name of ['leaderboard.md', 'leaderboard.html', 'leaderboard.json'])
      expect(readFileSync(join(home, 'out', name), 'utf8')).toContain('no-history');
  });

  it('asks a judge of every pair in both orders, once, and beside a stranger’s history', async () => {
    // A scripted judge on this machine: it takes the first text, whatever it says.
    let asked = 0;
    const server = createServer((request, response) => {
      request.resume().on('end', () => {
        asked += 1;
        response.end(JSON.stringify({ choices: [{ message: { content: 'Text 1' } }] }));
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const judged = {
      ...recipe,
      out: join(home, 'out'),
      judge: { url: `http://127.0.0.1:${port}/v1`, model: 'scripted-judge' },
    };
    const { judge, systems } = (await benchmark(judged)).boards[0]!;
    expect(judge!.systems.map(({ system }) => system)).toEqual(recipe.systems);
    const texts = new Map(
      systems.map(({ system, cells }) => [system, cells[0]!.written!.texts[0]!.text.trim()]),
    );
    for (const { system, besideBaseline, besideStranger } of judge!.systems) {
      expect(besideStranger === undefined).toBe(system === 'no-history');
      expect(besideBaseline === undefined).toBe(system === 'latest');
      if (besideBaseline === undefined) continue;
      // A judge of positions: half of either, in no pair the same text twice.
      expect(besideBaseline.preferred!.value).toBe(0.5);
      expect(besideBaseline.equal).toBe(Number(texts.get(system) === texts.get('latest')));
      if (besideBaseline.equal === 0) expect(besideBaseline.consistent).toBe(0);
    }
    expect(asked).toBeGreaterThan(0);
    const before = asked;
    expect((await benchmark(judged)).boards[0]!.judge).toEqual(judge);
    expect(asked).toBe(before);
    server.close();
    await expect(benchmark({ ...judged, generate: { texts: 0 } })).rejects.toMatchObject({
      code: 'config/no-effect',
    });
    const away = { ...judged.judge, url: 'https://judge.example/v1' };
    await expect(benchmark({ ...judged, judge: away })).rejects.toMatchObject({ code: 'judge/send-texts' });
  });

  it('keeps the best step of every training by its validation users', async () => {
    const out = join(home, 'kept');
    const { heldOut, ...one } = {
      ...recipe,
      out,
      systems: ['sft' as const],
      generate: { texts: 0 },
      baseline: 'sft',
      heldOut: { evalEvery: 1, evalExamples: 3, keepBest: true, patience: 2 },
    };
    const training = { ...recipe.training, learningRates: [0.3] };
    const last = await benchmark({ ...one, training });
    const kept = await benchmark({ ...one, training: { ...training, ...heldOut } });
    const manifests = await Promise.all(
      (await readdir(join(out, 'runs'))).map((name) => readManifest(join(out, 'runs', name))),
    );
    const [ofKept, ofLast] = [true, false].map((keepBest) =>
      manifests.find((each) => each.recipe.keepBest === keepBest),
    ) as [Manifest, Manifest];
    expect(ofLast.validation).toBeUndefined();
    expect(ofKept.data.examples).toEqual(ofLast.data.examples);
    const { validation, train } = await benchmarkData(recipe.data[0]!);
    const ids = (rows: readonly Example[]) => rows.map(({ id }) => id);
    // Those whose texts fit.
    expect(ofKept.validation!.examples).toHaveLength(3);
    expect(ids(validation)).toEqual(expect.arrayContaining([...ofKept.validation!.examples]));
    expect(ids(train)).toEqual(expect.arrayContaining([...ofKept.data.examples]));
    const best = kept.boards[0]!.systems[0]!.cells[0]!.best!;
    expect(ofKept.summary!.best).toEqual(best);
    expect(last.boards[0]!.systems[0]!.cells[0]).not.toHaveProperty('best');
    // At such a rate the loss only rises, so that the first step is kept.
    expect(best.step).toBe(1);
    const nll = ({ boards }: BenchmarkResult) => boards[0]!.leaderboard.rows[0]!.means.nllWithHistory.value;
    expect(nll(kept)).toBeLessThan(nll(last));
  });

  it('refuses a recipe that contradicts itself, before any work', async () => {
    const folder = join(home, 'refused');
    const refused = (change: Partial<BenchmarkRecipe>) =>
      expect(benchmark({ ...recipe, out: folder, ...change })).rejects;
    await refused({ baseline: 'cft' }).toMatchObject({ code: 'benchmark/baseline' });
    const [set] = recipe.data;
    await refused({ data: [{ ...set!, source: 'sotu' }] }).toMatchObject({ code: 'benchmark/data' });
    await refused({ data: [{ ...set!, simulated: undefined }] }).toMatchObject({ code: 'benchmark/data' });
    await refused({ data: [set!, set!] }).toMatchObject({ code: 'benchmark/duplicate' });
    for (const training of [{ keepBest: true }, { evalEvery: 1, patience: 1 }])
      await refused({ training }).toMatchObject({ code: 'training/setting' });
    await refused({ training: { evalExamples: 4 } }).toMatchObject({ code: 'config/no-effect' });
    expect(existsSync(folder)).toBe(false);
  });

  it('names the system that there is none of, and the nearest', async () => {
    writeFileSync(join(home, 'wrong.yaml'), JSON.stringify({ ...recipe, systems: ['bm52'] }));
    const { code, stderr } = await runCli(['benchmark', 'wrong.yaml'], { cwd: home });
    expect(code).toBe(2);
    expect(stderr).toContain('systems.0');
    expect(stderr).toContain('"bm25"');
  });
});
