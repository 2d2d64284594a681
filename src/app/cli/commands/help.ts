/** @file `nextquill help [command]`. */
import type { CliCommand } from '../command.ts';

export const helpCommand: CliCommand = {
  name: 'help',
  summary: 'show this, or the flags of a command',
  define: (command) => {
    command.argument('[command]', 'name of a command');
  },
  run: async ([name], _flags, session) => {
    session.print(session.helpText(name));
  },
};
