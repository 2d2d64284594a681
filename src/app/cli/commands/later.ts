/** @file Commands that the interface names and that are not there yet: each says so, and what to use meanwhile. */
import { ConfigError } from '../../../base/errors.ts';
import type { CliCommand } from '../command.ts';

const planned: readonly (readonly [name: string, summary: string, hint: string])[] = [
  ['benchmark', 'compare systems on published data sets', 'Use "nextquill evaluate" meanwhile.'],
  ['serve', 'an OpenAI-compatible server', 'Use "nextquill generate" meanwhile.'],
  ['studio', 'runs and effects in a browser', 'Open the HTML files of "nextquill explain" meanwhile.'],
  ['doctor', 'check this machine', 'Run "nextquill quickstart" to see whether this machine can do the work.'],
  ['init', 'start a project of your own', 'Copy a recipe of the folder recipes/ meanwhile.'],
];

export const laterCommands: readonly CliCommand[] = planned.map(([name, summary, hint]) => ({
  name,
  summary: `not yet: ${summary}`,
  define: (command) => {
    command.allowUnknownOption().allowExcessArguments();
  },
  run: async () => {
    throw new ConfigError(`nextquill ${name}: not yet there in this version`, {
      code: 'usage/not-yet',
      hint,
    });
  },
}));
