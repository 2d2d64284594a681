/** @file `nextquill setup torch`: the Python environment of `--engine torch`. */
import { ConfigError } from '../../../base/errors.ts';
import { pythonOf, torchReport } from '../../launch/python-env.ts';
import { planSetup, planText, type SetupOptions, setUpTorch } from '../../launch/setup-torch.ts';
import type { CliCommand } from '../command.ts';
import { addFlag } from '../flags.ts';

export const setupCommand: CliCommand = {
  define: (command) => {
    command.argument('<what>', 'torch');
    addFlag(
      command,
      '--backend <name>',
      'what PyTorch computes on: auto, cpu, xpu, cu130, rocm6.4 … (default: auto)',
    );
    addFlag(
      command,
      '--python <version>',
      'version or path of the Python (default: 3.12 by uv, else python3)',
    );
    command.option('--dry-run', 'say what would be installed, and how much, and do nothing');
    command.option('--force', 'make an environment that is there anew');
    command.addHelpText(
      'after',
      '\nInstalls torch, transformers and peft for --engine torch into the folder of caches, by uv where it is there, else by\n' +
        'venv and pip. Packages are downloaded from PyPI and pytorch.org, or where the settings of uv and pip say.\n' +
        'A Python that has them is used as it is: --python or NEXTQUILL_PYTHON.',
    );
  },
  run: async ([what], flags, session) => {
    const { dryRun, ...options } = flags as SetupOptions & { readonly dryRun?: boolean };
    if (what !== 'torch')
      throw new ConfigError(`setup: expected torch, got "${what}"`, {
        code: 'usage/setup',
        hint: 'Write "nextquill setup torch".',
      });
    const { signal, options: globals, note } = session;
    if (globals.offline && dryRun !== true)
      throw new ConfigError('setup torch: expected the network, got --offline', {
        code: 'setup/offline',
        hint: 'Leave --offline out, or add --dry-run.',
      });
    const plan = await planSetup(options);
    const shown = (more: object) =>
      session.print(globals.json ? `${JSON.stringify({ ...plan, ...more })}\n` : `${planText(plan)}\n`);
    if (dryRun) return shown({ isDone: false });
    note(planText(plan));
    await setUpTorch(plan, { signal, onLine: note });
    const executable = pythonOf(plan.folder);
    const report = await torchReport({ executable, place: 'setup' }, signal);
    shown({ isDone: true, report });
    note(`Use it by --engine torch. It is removed with ${plan.folder}.`);
  },
};
