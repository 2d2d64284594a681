/** @file `nextquill quickstart`: trains and compares two small models offline and writes a report, in under three minutes on two cores. */

import { existsSync } from 'node:fs';
import { checkDevice } from '../../../base/device.ts';
import { estimateText } from '../../../base/number-format.ts';
import { checkFolderPlace } from '../../../base/output-place.ts';
import { differencesTable, systemsTable } from '../../../reports/comparison/comparison-table.ts';
import { systemJson } from '../../../reports/comparison/system-json.ts';
import { type QuickstartResult, quickstart } from '../../quickstart/quickstart.ts';
import type { CliCommand } from '../command.ts';
import { addFlag } from '../flags.ts';
import { clock } from '../progress.ts';
import { deviceLine } from '../scoring.ts';

export const quickstartCommand: CliCommand = {
  define: (command) => {
    addFlag(command, '--out <folder>', 'where runs and report go (default: nextquill-quickstart)');
  },
  run: async (_operands, flags, session) => {
    const { out: wanted } = flags as { out?: string };
    const out = wanted ?? freeFolder('nextquill-quickstart');
    await checkFolderPlace(out, ['runs', 'report.html'], { hasForce: false });
    const { seed, threads, device, json } = session.options;
    if (device !== undefined) checkDevice(device, '--device');
    const result = await quickstart({
      out,
      ...(seed !== undefined && { seed }),
      ...(threads !== undefined && { threads }),
      ...(device !== undefined && { device }),
      onDevice: (taken) => session.note(deviceLine(taken)),
      signal: session.signal,
      onProgress: session.progress,
      onNotice: session.notice,
    });
    session.print(json ? `${JSON.stringify(resultJson(result))}\n` : resultText(result));
  },
};

/** The name, or the name with the first number that is free: a second quickstart keeps the first. */
function freeFolder(name: string): string {
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name}-${number}`;
    if (!existsSync(candidate)) return candidate;
  }
}

const resultJson = ({ systems, knownWorld, ...result }: QuickstartResult) => ({
  ...result,
  systems: systems.map(systemJson),
  knownWorld: { ...knownWorld, systems: knownWorld.systems.map(systemJson) },
});

function resultText(result: QuickstartResult): string {
  const { answer, systems, knownWorld, differences, effects, report, runs, seconds } = result;
  const aucs = effects.newWorld.map((auc) => `${auc.system} ${estimateText(auc)}`).join(', ');
  return [
    `${answer}\n`,
    `\nUsers of a world that the model did not know (journeys), never trained on\n${systemsTable(systems)}`,
    `\nUsers of the world that it knew (reviews), never trained on\n${systemsTable(knownWorld.systems)}`,
    `\nDifferences in the new world, paired by user [95 %]; p of the permutation test, not corrected for their number\n`,
    differencesTable(differences),
    `\nAUC of the effects against the known causes: ${estimateText(effects.auc)} in the known world (${effects.auc.system}); in the new one ${aucs}\n`,
    `\nreport  ${report}\n`,
    ...runs.map((run) => `run     ${run}\n`),
    `time    ${clock(seconds)}\n`,
  ].join('');
}
