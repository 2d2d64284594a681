/** @file The commands in the order of the help text. */
import type { CliCommand } from './command.ts';
import { auditCommand } from './commands/audit.ts';
import { dataCommand } from './commands/data.ts';
import { effectsCommand } from './commands/effects.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { explainCommand } from './commands/explain.ts';
import { exportCommand } from './commands/export.ts';
import { generateCommand } from './commands/generate.ts';
import { helpCommand } from './commands/help.ts';
import { laterCommands } from './commands/later.ts';
import { metricsCommand } from './commands/metrics.ts';
import { quickstartCommand } from './commands/quickstart.ts';
import { refuteCommand } from './commands/refute.ts';
import { scoreCommand } from './commands/score.ts';
import { simulateCommand } from './commands/simulate.ts';
import { trainCommand } from './commands/train.ts';

export const commands: readonly CliCommand[] = [
  quickstartCommand,
  trainCommand,
  effectsCommand,
  auditCommand,
  explainCommand,
  evaluateCommand,
  refuteCommand,
  generateCommand,
  metricsCommand,
  scoreCommand,
  exportCommand,
  dataCommand,
  simulateCommand,
  ...laterCommands,
  helpCommand,
];
