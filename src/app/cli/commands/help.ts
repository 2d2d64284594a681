/** @file `nextquill help [command]`. */
import type { CliCommand } from '../command.ts';

export const helpCommand: CliCommand = {
  define: (command) => {
    command.argument('[command]', 'name of a command');
  },
  run: async ([name], _flags, session) => {
    session.print(await session.helpText(name));
  },
};
