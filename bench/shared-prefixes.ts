/**
 * @file What it saves to compute the shared beginnings of prompts once: whole jobs, with and without, in turn.
 *
 *     npx tsx bench/shared-prefixes.ts [--model embedded] [--texts 40] [--rounds 3] [--threads 2]
 *
 * Jobs: `evaluate` with four candidates, and an audit with items, both of simulated users. Without sharing every prompt is a run
 * of its own, which models of hundreds of millions of parameters do anyway; small ones lose their batches, too, so compare
 * tokens there. CPU seconds beside wall-clock ones, because other work may want the same cores.
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { open } from '../src/app/open/open.ts';
import { audit, evaluate } from '../src/app/verbs.ts';
import { tokenCounter } from '../src/method/scoring/token-count.ts';
import { simulate } from '../src/method/simulation/simulate.ts';
import { markdownTable } from '../src/reports/text/markdown.ts';
import { commit, median } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string', default: 'embedded' },
    texts: { type: 'string', default: '40' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
  },
});
const [texts, rounds, threads] = [flags.texts, flags.rounds, flags.threads].map(Number) as [
  number,
  number,
  number,
];
const model = await open(flags.model);
const examples = simulate({ users: texts, seed: 0 }).slice(0, texts);
const jobs = {
  'evaluate, 4 candidates': evaluate,
  'audit with items': audit,
} as const;
const rows: string[][] = [];
const load = loadavg()[0]!;
for (const [name, job] of Object.entries(jobs)) {
  const seconds: Record<'shared' | 'alone', { wall: number[]; cpu: number[] }> = {
    shared: { wall: [], cpu: [] },
    alone: { wall: [], cpu: [] },
  };
  const tokens = { shared: 0, alone: 0 };
  for (let round = 0; round < rounds; round++) {
    for (const way of ['shared', 'alone'] as const) {
      const counter = tokenCounter();
      const [start, cpu] = [performance.now(), process.cpuUsage()];
      const options = { threads, others: 3, onTokens: counter.add };
      await job(model, examples, way === 'shared' ? options : { ...options, tokensPerRun: 1 });
      const { user, system } = process.cpuUsage(cpu);
      seconds[way].wall.push((performance.now() - start) / 1000);
      seconds[way].cpu.push((user + system) / 1e6);
      tokens[way] = counter.total().tokensComputed;
    }
  }
  for (const way of ['shared', 'alone'] as const)
    rows.push([
      name,
      way,
      String(tokens[way]),
      median(seconds[way].wall).toFixed(1),
      median(seconds[way].cpu).toFixed(1),
      (median(seconds.alone.cpu) / median(seconds[way].cpu)).toFixed(2),
    ]);
}
process.stdout.write(
  `${flags.model}, ${examples.length} texts, ${threads} threads, commit ${commit()}, load ${load.toFixed(1)} before\n\n` +
    `${markdownTable(['job', 'prompts', 'tokens computed', 'wall s', 'CPU s', 'CPU: times as fast as alone'], rows)}\n`,
);
