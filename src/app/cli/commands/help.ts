/** @file `nextquill help [command]`. */
import type { CliCommand } from '../command.ts';

export const helpCommand: CliCommand = {
  define: (command) => {
    command.argument('[command]', 'name of a command');
    // "help data csv" is a natural thing to ask: the help of data describes every format.
    command.argument('[words...]', 'ignored');
  },
  run: async ([name], _flags, session) => {
    session.print(await session.helpText(name));
  },
};
