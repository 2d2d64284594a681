/**
 * @file `npx tsx bench/data.ts`: a generated dump of reviews becomes examples; rows a second and the peak of memory.
 * The dump is written to a temporary folder and removed; the conversion runs in a process of its own, whose peak is the system's.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { convertData } from '../src/app/data/convert-data.ts';
import { randomStream } from '../src/base/random.ts';

const WORDS =
  'the a this that it works broke after two weeks but still love my old one sturdy thin blue heavy light cheap price great for kids garden kitchen never again would buy gift friend happy sad noise quiet screen battery lasts days hours'.split(
    ' ',
  );

interface Outcome {
  readonly seconds: number;
  readonly peakBytes: number;
  readonly texts: number;
  readonly examples: number;
}

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    users: { type: 'string', default: '100000' },
    memory: { type: 'string', default: String(512 * 2 ** 20) },
    out: { type: 'string' },
    child: { type: 'string' },
  },
});

if (values.child !== undefined) await convertIn(values.child);
else await main();

async function main(): Promise<void> {
  const [rows, users] = [Number(values.rows), Number(values.users)];
  const folder = await mkdtemp(join(tmpdir(), 'nextquill-bench-data-'));
  try {
    const dump = join(folder, 'reviews.csv');
    await writeDump(dump, rows, users);
    const bytes = (await stat(dump)).size;
    const child = [
      ...process.execArgv,
      fileURLToPath(import.meta.url),
      '--child',
      folder,
      '--memory',
      values.memory,
    ];
    const outcome = JSON.parse(execFileSync(process.execPath, child, { encoding: 'utf8' })) as Outcome;
    const outBytes = (await stat(join(folder, 'examples.jsonl'))).size;
    const result = {
      ...{ date: new Date().toISOString().slice(0, 10), cpu: cpus()[0]?.model, cores: cpus().length },
      ...{ rows, users, dumpBytes: bytes, outBytes, maxMemory: Number(values.memory), ...outcome },
      rowsPerSecond: Math.round(rows / outcome.seconds),
    };
    if (values.out !== undefined) {
      await mkdir(dirname(values.out), { recursive: true });
      await writeFile(values.out, `${JSON.stringify(result, null, 2)}\n`);
    }
    console.log(JSON.stringify(result, null, 2));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function convertIn(folder: string): Promise<void> {
  const start = performance.now();
  const { texts, examples } = await convertData({
    ...{ format: 'csv', sources: [join(folder, 'reviews.csv')], out: join(folder, 'examples.jsonl') },
    ...{ user: 'user_id', time: 'date', text: 'review', query: 'Review of {title}, {rating} stars' },
    ...{ domain: 'category', maxMemory: Number(values.memory), threads: 2 },
  });
  const seconds = (performance.now() - start) / 1000;
  const outcome: Outcome = { seconds, peakBytes: process.resourceUsage().maxRSS * 1024, texts, examples };
  process.stdout.write(JSON.stringify(outcome));
}

/** Reviews of 20 to 120 words, of users in no order. */
async function writeDump(path: string, rows: number, users: number): Promise<void> {
  const random = randomStream(1, 'bench/data');
  const file = createWriteStream(path);
  file.write('user_id,date,review,title,rating,category\n');
  for (let row = 0; row < rows; row++) {
    const words = Array.from({ length: 20 + random.integer(101) }, () => random.pick(WORDS)).join(' ');
    const line = `U${random.integer(users)},${1_300_000_000 + random.integer(400_000_000)},"${words}, ""${row}""",Item ${random.integer(50_000)},${1 + random.integer(5)},c${random.integer(20)}\n`;
    if (!file.write(line)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'finish');
}
