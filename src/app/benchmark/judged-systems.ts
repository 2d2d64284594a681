/** @file What a judge says of every system: beside the baseline, and beside itself with a stranger's history. */
import { sha256 } from '../../base/hash.ts';
import { type JudgedPair, judgePairs } from '../../method/benchmark/judge.ts';
import type { JudgedSystem, SystemRun } from '../../method/benchmark/results.ts';
import type { Cells } from './cells.ts';
import type { AskJudge } from './judge-endpoint.ts';
import { type Bench, strangersTexts } from './system-run.ts';

/** Keeps every answer, so that none is asked for twice. */
function remembering(ask: AskJudge, cells: Cells, judge: readonly string[]): AskJudge {
  return (message) => {
    const name = sha256(JSON.stringify([...judge, message])).slice(0, 24);
    return cells.result(name, [...judge, message], () => ask(message));
  };
}

/**
 * Judges the texts of each system's first seed.
 * @param judge what its answers depend on: its address and its model
 */
export async function judgedSystems(
  bench: Bench,
  runs: readonly SystemRun[],
  baseline: string,
  {
    ask,
    answers,
    judge,
  }: { readonly ask: AskJudge; readonly answers: Cells; readonly judge: readonly string[] },
): Promise<JudgedSystem[]> {
  const asking = remembering(ask, answers, judge);
  const byId = new Map(bench.data.test.map((example) => [example.id, example]));
  const textsOf = (run: SystemRun) => run.cells[0]!.written!.texts;
  const reference = new Map(
    textsOf(runs.find(({ system }) => system === baseline)!).map(({ example, text }) => [example, text]),
  );
  const judged: JudgedSystem[] = [];
  for (const run of runs) {
    const compared = async (others: ReadonlyMap<string, string>) => {
      const pairs = textsOf(run).flatMap(({ example, text }): JudgedPair[] => {
        const other = others.get(example);
        return other === undefined ? [] : [{ example: byId.get(example)!, text, other }];
      });
      return judgePairs(pairs, asking, {
        onDone: (done) =>
          bench.options.onProgress?.({
            ...{ stage: `${bench.place} ${run.system}: judging`, done, total: pairs.length, unit: 'pairs' },
          }),
      });
    };
    const strangers = await strangersTexts(bench, run);
    judged.push({
      system: run.system,
      ...(run.system !== baseline && { besideBaseline: await compared(reference) }),
      ...(strangers && { besideStranger: await compared(strangers) }),
    });
  }
  return judged;
}
