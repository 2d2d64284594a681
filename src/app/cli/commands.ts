/** @file The commands in the order of the help text; each is loaded when it runs, so that help costs no engine. */
import type { CliCommand } from './command.ts';

/** A command by its name. */
export interface CommandEntry {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly load: () => Promise<CliCommand>;
}

export const commands: readonly CommandEntry[] = [
  {
    name: 'quickstart',
    summary: 'train and compare two small models offline, and write a report (under 3 minutes)',
    load: async () => (await import('./commands/quickstart.ts')).quickstartCommand,
  },
  {
    name: 'train',
    summary: 'fine-tune by a recipe or by flags; --resume RUN continues',
    load: async () => (await import('./commands/train.ts')).trainCommand,
  },
  {
    name: 'effects',
    summary: 'what the history changes at every token: one row per response token',
    load: async () => (await import('./commands/effects.ts')).effectsCommand,
  },
  {
    name: 'audit',
    summary: 'does the history matter, for whom, where, and more than another user’s would',
    load: async () => (await import('./commands/audit.ts')).auditCommand,
  },
  {
    name: 'explain',
    summary: 'heat map of one example: terminal, HTML or JSON',
    load: async () => (await import('./commands/explain.ts')).explainCommand,
  },
  {
    name: 'evaluate',
    summary: 'held-out likelihood with, without and with others’ histories; author identification',
    load: async () => (await import('./commands/evaluate.ts')).evaluateCommand,
  },
  {
    name: 'refute',
    summary: 'try to disprove the effect of the histories: strangers, shuffled items, wrong targets …',
    load: async () => (await import('./commands/refute.ts')).refuteCommand,
  },
  {
    name: 'generate',
    summary: 'write a text with or without the history, or in between by --strength',
    load: async () => (await import('./commands/generate.ts')).generateCommand,
  },
  {
    name: 'metrics',
    summary: 'compare predictions with what users wrote: ROUGE, BLEU, METEOR, style, copying and more',
    load: async () => (await import('./commands/metrics.ts')).metricsCommand,
  },
  {
    name: 'score',
    summary: 'does a text sound like its author, like anybody, or like somebody else, sentence by sentence',
    load: async () => (await import('./commands/score.ts')).scoreCommand,
  },
  {
    name: 'benchmark',
    summary: 'systems side by side on held-out users: the leaderboard of a recipe; resumes',
    load: async () => (await import('./commands/benchmark.ts')).benchmarkCommand,
  },
  {
    name: 'export',
    summary: 'write merged weights, a PEFT adapter or a GGUF adapter for other tools',
    load: async () => (await import('./commands/export.ts')).exportCommand,
  },
  {
    name: 'export-pairs',
    summary: 'write prompts, responses and token weights as Parquet, for TRL and other trainers',
    load: async () => (await import('./commands/export-pairs.ts')).exportPairsCommand,
  },
  {
    name: 'data',
    summary: 'turn dumps, tables, benchmarks and chat exports into examples; data describe: what a set holds',
    load: async () => (await import('./commands/data.ts')).dataCommand,
  },
  {
    name: 'examples',
    summary: 'list the ids that --example takes, each with its user and first words',
    load: async () => (await import('./commands/examples.ts')).examplesCommand,
  },
  {
    name: 'simulate',
    summary: 'write a file of simulated users whose every word has a known cause',
    load: async () => (await import('./commands/simulate.ts')).simulateCommand,
  },
  {
    name: 'serve',
    summary: 'OpenAI’s API for the users of a store: their histories, adapters and a strength dial',
    load: async () => (await import('./commands/serve.ts')).serveCommand,
  },
  {
    name: 'store',
    summary: 'users of a server: import, export, forget with evidence, keys, check, backup',
    load: async () => (await import('./commands/store.ts')).storeCommand,
  },
  {
    name: 'setup',
    summary: 'setup torch: the Python environment of --engine torch, its size said first',
    load: async () => (await import('./commands/setup.ts')).setupCommand,
  },
  {
    name: 'doctor',
    summary: 'show what this machine can do: processor, memory, engine, caches, network settings',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
  },
  {
    name: 'help',
    summary: 'show this, or the flags of a command',
    load: async () => (await import('./commands/help.ts')).helpCommand,
  },
];
