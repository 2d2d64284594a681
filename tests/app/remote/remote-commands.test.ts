/** @file Commands over a server equal those over the same weights here. The server is a double: its numbers are those of the embedded model. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { openScoredModel } from '../../../src/app/open/scored-model.ts';
import { refutationTests } from '../../../src/method/refutation/suite.ts';
import type { EffectRow } from '../../../src/method/scoring/rows.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';
import { comparable, expectClose, numbersOf } from '../../support/audit-documents.ts';
import { type Double, honest, refuse, startDouble } from '../../support/remote-double.ts';
import { runInProcess } from '../../support/run-command.ts';

const home = mkdtempSync(join(tmpdir(), 'nextquill-remote-'));
const data = join(home, 'users.jsonl');
const examples = simulate({ users: 4, examplesPerUser: 1, seed: 5 });
writeFileSync(data, examples.map((example) => JSON.stringify(example)).join('\n'));

const opened = await openScoredModel('embedded');
const scorer = createScorer(opened, { threads: 1 });
/** Prompts that the double was asked for, as text. */
const asked: string[] = [];
/** Answers that the double still gives before it breaks. */
let left = Number.POSITIVE_INFINITY;
const answers = honest(
  'vllm',
  async (ids) => {
    asked.push(ids.join());
    const [values] = await scorer.logProbabilities([
      { promptIds: ids.slice(0, 1), responseIds: ids.slice(1) },
    ]);
    return [null, ...values!];
  },
  (id) => opened.model.tokenizer.tokenText(id),
);
const double: Double = await startDouble((request, response) =>
  request.path !== '/v1/models' && --left < 0 ? refuse(response, 500, 'broken') : answers(request, response),
);
afterEach(() => {
  left = Number.POSITIVE_INFINITY;
});
afterAll(async () => {
  await double[Symbol.asyncDispose]();
  await scorer[Symbol.asyncDispose]();
});

const REMOTE = `--model ${double.url} --tokenizer embedded`;
const SCORING = `--data ${data} --split all --max-tokens 200 --seed 3 --threads 1`;
const json = async (words: string) => JSON.parse((await runInProcess(`${words} --json`)).stdout);

describe('over a server', () => {
  it('an audit that breaks off is continued, asks for nothing twice, and equals the local one to 1e-4', async () => {
    const remoteOut = join(home, 'remote');
    const words = `audit ${REMOTE} ${SCORING} --maps 1 --remote-repeat 1 --remote-retries 0 --out ${remoteOut}`;
    left = 8;
    await expect(runInProcess(words)).rejects.toMatchObject({ code: 'remote/failed' });
    left = Number.POSITIVE_INFINITY;
    const before = new Set(asked);
    const kept = readFileSync(join(remoteOut, 'scores.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line !== '').length;
    expect(kept).toBeGreaterThan(0);
    asked.length = 0;
    double.requests.length = 0;
    const remote = await json(words);
    // The probe asks again, in four requests, and the map for the likeliest tokens of its two prompts; nothing else that was kept.
    const scored = double.requests.filter(({ body }) => body.prompt !== undefined).slice(4);
    const promptsOf = (isListed: boolean) =>
      scored
        .filter(({ body }) => Number(body.prompt_logprobs) > 0 === isListed)
        .map(({ body }) => String(body.prompt));
    expect(promptsOf(true)).toHaveLength(2);
    expect(promptsOf(false).filter((prompt) => before.has(prompt))).toEqual([]);
    expect(new Set(promptsOf(false)).size).toBe(scored.length - 2);
    const local = await json(`audit --model embedded ${SCORING} --maps 1 --out ${join(home, 'local')}`);
    expect(remote.remote).toMatchObject({
      url: double.url,
      kind: 'vllm',
      model: 'm',
      way: 'prompt_logprobs',
    });
    expectClose(comparable(numbersOf(remote)), comparable(numbersOf(local)), 1e-4);
    const { tokens } = remote.maps.most[0];
    expect(tokens[0].effectDivergence).toBeNull();
    expect(Math.max(...tokens.map((token: EffectRow) => token.effectDivergenceAtLeast))).toBeGreaterThan(0);
  });

  it('effects, evaluate and explain equal the local ones; refute leaves out what needs whole predictions', async () => {
    const rows = async (model: string) => {
      const { stdout } = await runInProcess(`effects ${model} ${SCORING} --others 1 --json`);
      return stdout
        .trim()
        .split('\n')
        .map((line) => comparable(JSON.parse(line)));
    };
    expectClose(await rows(REMOTE), await rows('--model embedded'), 1e-4);
    const evaluated = async (model: string) =>
      comparable(numbersOf(await json(`evaluate ${model} ${SCORING} --others 1`)));
    expectClose(
      { ...((await evaluated(REMOTE)) as object), name: '' },
      { ...((await evaluated('--model embedded')) as object), name: '' },
      1e-4,
    );
    const explained = async (model: string) =>
      comparable(
        await json(
          `explain ${model} --data ${data} --max-tokens 200 --example ${examples[0]!.id} --no-items`,
        ),
      );
    expectClose(await explained(REMOTE), await explained('--model embedded'), 1e-4);
    const refutation = await json(`refute ${REMOTE} ${SCORING} --max-tokens 450 --others 2 --max-examples 1`);
    const names = refutation.tests.map(({ name }: { name: string }) => name);
    expect(names).toHaveLength(refutationTests.length - 1);
    expect(names).not.toContain('label-alignment');
    expect(refutation.remote).toMatchObject({ kind: 'vllm', noise: { p95: expect.any(Number) } });
  });

  it('what needs weights or whole predictions is refused, and says so', async () => {
    const refused = (words: string) => expect(runInProcess(words)).rejects;
    await refused(`generate --model ${double.url} --data ${data} --example ${examples[0]!.id}`).toMatchObject(
      { code: 'remote/needs-weights' },
    );
    await refused(`train --model ${double.url} --data ${data} --out ${join(home, 'run')}`).toMatchObject({
      code: 'remote/needs-weights',
    });
    await refused(`effects ${REMOTE} ${SCORING} --objective perce --json`).toMatchObject({
      code: 'remote/needs-logits',
    });
    await refused(`effects ${REMOTE} ${SCORING} --retrieval dense --json`).toMatchObject({
      code: 'remote/needs-weights',
    });
    await refused(`effects ${REMOTE} ${SCORING} --adapter x --json`).toMatchObject({
      code: 'config/no-effect',
    });
    await refused(`effects ${REMOTE} ${SCORING} --device cpu --json`).toMatchObject({
      code: 'config/no-effect',
    });
    await refused(`effects --model embedded ${SCORING} --tokenizer embedded --json`).toMatchObject({
      code: 'config/no-effect',
    });
    await refused(`effects ${REMOTE} ${SCORING} --remote-key-env NEXTQUILL_NO_KEY --json`).toMatchObject({
      code: 'remote/key',
    });
  });

  it('doctor shows what the probe finds', async () => {
    const report = await json(`doctor ${REMOTE}`);
    expect(report).toMatchObject({ url: double.url, kind: 'vllm', way: 'prompt_logprobs', maxTokens: 513 });
    expect(report.checks).toHaveLength(6);
    const { stdout } = await runInProcess(`doctor ${REMOTE}`);
    expect(stdout.match(/✓/g)).toHaveLength(6);
    await expect(runInProcess('doctor --model embedded')).rejects.toMatchObject({ code: 'usage/server' });
  });
});
