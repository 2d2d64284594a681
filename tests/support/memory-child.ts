/**
 * @file A fresh process that takes one step of training with the embedded model: `node --import tsx memory-child.ts OUT OPTIONS`, where
 * OPTIONS are settings, and the tokens of each prompt with and without history and of each response.
 * Prints what was predicted and what was needed.
 */
import { embeddedModelFolder } from '../../src/app/open/model-source.ts';
import { randomStream } from '../../src/base/random.ts';
import { loadModel } from '../../src/engine/models/model.ts';
import { trainPairs } from '../../src/method/runs/train.ts';
import type { TrainingSettings } from '../../src/method/training/settings.ts';

export interface MemoryChildOptions extends TrainingSettings {
  /** Prompts with other users' histories of each pair, as long as that with the own one; none by default. */
  readonly others?: number;
  readonly tokens: readonly [withHistory: number, withoutHistory: number, response: number];
}

const [out, json] = process.argv.slice(2);
const { tokens, others = 0, ...settings } = JSON.parse(json!) as MemoryChildOptions;
const random = randomStream(0, 'tests/memory');
const ids = (count: number) => Array.from({ length: count }, () => 4 + random.integer(4000));
const [long, short, response] = tokens;
const pairs = Array.from({ length: 16 }, () => ({
  withHistoryIds: ids(long),
  withoutHistoryIds: ids(short),
  responseIds: ids(response),
  responseStarts: ids(response),
  responseEnds: ids(response),
  historyItemsUsed: 1,
  hasHistory: true,
  ...(others > 0 && { otherHistoryIds: ids(long) }),
  ...(others > 1 && { furtherHistoryIds: Array.from({ length: others - 1 }, () => ids(long)) }),
}));
const model = await loadModel(embeddedModelFolder);
const events = trainPairs({
  ...settings,
  model,
  modelSource: 'embedded',
  pairs,
  dataSource: 'random',
  out: out!,
  maxSteps: 1,
  threads: 2,
});
for await (const event of events) {
  if (event.type === 'started') process.stdout.write(`${JSON.stringify({ memory: event.memory })}\n`);
  if (event.type === 'done') process.stdout.write(`${JSON.stringify(event.summary)}\n`);
}
