/**
 * @file Reads many damaged files of one kind, and reports every one that is neither read nor refused with a typed error.
 *
 * Run: npx tsx scripts/mutation.ts TARGET [COUNT] [FIRST]
 * TARGET is a name of tests/support/mutation-targets.ts (without one the names are listed); COUNT is 10,000 by default; FIRST is the number of
 * the first mutant. A child process reads the mutants; one that is silent for 5 seconds is ended, and counts as a hang.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { mutationTargets } from '../tests/support/mutation-targets.ts';
import { faultLine, type MutationOutcome, outcomeOf, SLOW_SECONDS } from '../tests/support/mutations.ts';

const [name = '', count = '10000', first = '0', role = 'parent'] = process.argv.slice(2);
const target = mutationTargets.find((each) => each.name === name);
const end = Number(first) + Number(count);

interface Report {
  readonly mutant: number;
  readonly kind: MutationOutcome['kind'];
  readonly fault?: string;
}

async function child(): Promise<void> {
  process.send!('ready');
  for (let mutant = Number(first); mutant < end; mutant++) {
    const outcome = await outcomeOf(target!, mutant);
    const isSound = outcome.kind === 'accepted' || outcome.kind === 'refused';
    const report: Report = {
      mutant,
      kind: outcome.kind,
      ...(isSound ? {} : { fault: faultLine(target!, mutant, outcome) }),
    };
    await new Promise<void>((resolve) => void process.send!(report, () => resolve()));
  }
  process.disconnect();
}

async function parent(): Promise<void> {
  const counts = { accepted: 0, refused: 0, untyped: 0, slow: 0, hung: 0, crashed: 0 };
  for (let next = Number(first); next < end; ) {
    const reader = fork(fileURLToPath(import.meta.url), [name, String(end - next), String(next), 'child'], {
      execArgv: ['--import', 'tsx', '--max-old-space-size=1500'],
    });
    let isHung = false;
    let watch: NodeJS.Timeout | undefined;
    reader.on('message', (report: Report | 'ready') => {
      clearTimeout(watch);
      watch = setTimeout(() => {
        isHung = true;
        reader.kill('SIGKILL');
      }, SLOW_SECONDS * 1000);
      if (report === 'ready') return;
      counts[report.kind]++;
      next = report.mutant + 1;
      if (report.fault !== undefined) console.log(report.fault);
    });
    await once(reader, 'exit');
    clearTimeout(watch);
    if (next >= end) break;
    console.log(`${name}, mutant ${next}: ${isHung ? 'hung' : 'ended the process'}`);
    counts[isHung ? 'hung' : 'crashed']++;
    next++;
  }
  console.log(name, counts);
  process.exitCode = counts.untyped + counts.slow + counts.hung + counts.crashed > 0 ? 1 : 0;
}

if (target === undefined) {
  console.log(`Targets: ${mutationTargets.map((each) => each.name).join(', ')}`);
  process.exitCode = 2;
} else await (role === 'child' ? child() : parent());
