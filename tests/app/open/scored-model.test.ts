/** @file Opening a model for scoring: the prompt settings of training win, overrides warn, and other prompts are refused. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScoredModel } from '../../../src/app/open/scored-model.ts';
import { ConfigError, WeightsError } from '../../../src/base/errors.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import type { Retrieval } from '../../../src/method/retrieval/choose.ts';
import { train } from '../../../src/method/runs/train.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { allEvents } from '../../support/train-runs.ts';
import { writtenUsers } from '../../support/written-users.ts';

let folder: string;
let source: string;
let adapter: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-scored-'));
  source = join(folder, 'model');
  await writeModelFolder(source);
  const options = {
    model: await loadModel(source),
    modelSource: source,
    dataSource: 'written',
    examples: writtenUsers,
    objective: 'sft' as const,
    threads: 1,
    prompt: { maxHistory: 1, maxTokens: 300, retrieval: 'bm25' as const },
    maxSteps: 1,
  };
  const lora = { rank: 2, loraAlpha: 4, targetModules: ['q_proj'] };
  await allEvents(train({ ...options, lora, out: join(folder, 'run') }));
  await allEvents(train({ ...options, out: join(folder, 'full') }));
  adapter = join(folder, 'run/adapter');
});
afterAll(() => rm(folder, { recursive: true }));

async function opened(prompt: { maxHistory?: number; retrieval?: Retrieval } = {}, from = source) {
  const warnings: string[] = [];
  const model = await openScoredModel(from, {
    adapter,
    prompt,
    onWarning: (message) => warnings.push(message),
  });
  return { model, warnings };
}

async function openedWeights() {
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  return { model: await openScoredModel(join(folder, 'full/weights'), { onWarning }), warnings };
}

/** A copy of the model whose tokenizer_config.json is changed. */
async function withTokenizerConfig(name: string, change: (config: Record<string, unknown>) => void) {
  const copy = join(folder, name);
  await cp(source, copy, { recursive: true });
  const file = join(copy, 'tokenizer_config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  change(config);
  await writeFile(file, JSON.stringify(config));
  return copy;
}

describe('prompt settings', () => {
  it('are those of training for an adapter and for whole weights, without a warning', async () => {
    for (const given of [await opened(), await openedWeights()]) {
      expect(given.model.prompt).toEqual({
        template: 'default',
        reference: 'removed',
        maxTokens: 300,
        maxHistory: 1,
        retrieval: 'bm25',
      });
      expect(given.warnings).toEqual([]);
    }
  });

  it('warn when they are overridden by others, and not by the same', async () => {
    const { model, warnings } = await opened({ maxHistory: 2 });
    expect(model.prompt.maxHistory).toBe(2);
    expect(warnings).toEqual([expect.stringContaining('maxHistory: 2 overrides 1')]);
    expect((await opened({ maxHistory: 1, retrieval: 'bm25' })).warnings).toEqual([]);
    const other = await opened({ retrieval: 'latest' });
    expect(other.warnings).toEqual([expect.stringContaining('retrieval: latest overrides bm25')]);
  });

  it('are the defaults for a model that nothing is known of, as far as its positions go', async () => {
    const model = await openScoredModel(source);
    expect(model.prompt).toMatchObject({ maxHistory: 8, maxTokens: 1024 });
    await expect(openScoredModel(source, { prompt: { maxTokens: 1025 } })).rejects.toThrow(ConfigError);
  });
});

describe('an adapter is refused', () => {
  it('by a model whose chat template is another, or gone', async () => {
    // tokenizer.json is the same, and so was its hash: the prompts differed without a word.
    const gone = await withTokenizerConfig('gone', (config) => delete config.chat_template);
    const other = await withTokenizerConfig('other', (config) => {
      config.chat_template = `Hello. ${String(config.chat_template)}`;
    });
    await expect(opened({}, gone)).rejects.toThrow(
      /gone: chat template: expected the one of training.*got none/,
    );
    await expect(opened({}, other)).rejects.toThrow(WeightsError);
  });
});
