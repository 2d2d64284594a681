/** @file `nextquill store`: what an administrator does with a store while no server has it open. */
import { join } from 'node:path';
import { ConfigError, ContractError } from '../../../base/errors.ts';
import { exists } from '../../../base/exists.ts';
import { checkFilePlace, checkWholeFolderPlace } from '../../../base/output-place.ts';
import { readLines } from '../../../method/data/lines.ts';
import { readExamples } from '../../../method/data/source.ts';
import { terminalText } from '../../../reports/text/terminal-text.ts';
import { writeLines } from '../../data/write-lines.ts';
import { openScoredModel } from '../../open/scored-model.ts';
import { localMeasures } from '../../server/forgetting/local-measures.ts';
import { DATABASE_FILE, type OpenedStore, openStore } from '../../server/store/store.ts';
import { backUp, exportLines, importExamples, importLines } from '../../server/store/transfer.ts';
import type { KeyRole, Receipt, StoredKey } from '../../server/store-contract.ts';
import type { CliCommand, Session } from '../command.ts';
import { addDataFlag, addFlag, addForceFlag, oneOf, required } from '../flags.ts';
import { openingOf } from '../scoring.ts';

interface StoreFlags {
  readonly store?: string;
  readonly data?: string;
  readonly from?: string;
  readonly withResponses?: boolean;
  readonly out?: string;
  readonly force?: boolean;
  readonly user?: string;
  readonly item?: string;
  readonly model?: string;
  readonly role?: KeyRole;
  readonly name?: string;
  readonly expires?: string;
}

type Action = (store: OpenedStore, flags: StoreFlags, session: Session) => Promise<void>;

interface ActionEntry {
  readonly summary: string;
  /** Flags beside --store. */
  readonly flags: readonly (keyof StoreFlags)[];
  readonly run: Action;
}

const ACTIONS: Readonly<Record<string, ActionEntry>> = {
  import: {
    summary: 'users and items: --from what export wrote, or --data examples, of which the histories go in',
    flags: ['from', 'data', 'withResponses'],
    run: importInto,
  },
  export: {
    summary: 'all that is held of --user, or of all users, as JSON lines to --out or stdout',
    flags: ['out', 'force', 'user'],
    run: exportFrom,
  },
  forget: {
    summary:
      'forget --user, or one --item of theirs, and print the signed receipt; --model measures the effect',
    flags: ['user', 'item', 'model'],
    run: forget,
  },
  keys: {
    summary: 'keys (list), keys add --role R --name N, keys remove --name N; --user for keys of one user',
    flags: ['role', 'name', 'user', 'expires'],
    run: listKeys,
  },
  check: { summary: 'whether the database and the files of adapters are whole', flags: [], run: check },
  backup: { summary: 'a copy of the store to the folder --out', flags: ['out', 'force'], run: backup },
};

const KEY_ACTIONS: Readonly<Record<string, Action>> = { list: listKeys, add: addKey, remove: removeKey };

export const storeCommand: CliCommand = {
  define: (command) => {
    command.argument('[action]', Object.keys(ACTIONS).join(', '));
    command.argument('[what]', 'of keys: list, add or remove');
    addFlag(command, '--store <folder>', 'the store; import and keys add make it where there is none');
    addDataFlag(command);
    addFlag(command, '--from <file>', 'FILE.jsonl or FILE.jsonl.gz that export wrote');
    command.option('--with-responses', 'import the responses of examples too: users wrote them last');
    addFlag(command, '--out <path>', 'where export and backup write');
    addForceFlag(command);
    addFlag(command, '--user <id>', 'whose data or keys');
    addFlag(command, '--item <id>', 'one item of the user');
    addFlag(command, '--model <M>', 'measures the effect of the history before and after');
    addFlag(command, '--role <role>', 'of a new key: admin, app or user', (flag) =>
      oneOf(flag, ['admin', 'app', 'user'] as const),
    );
    addFlag(command, '--name <name>', 'of a key');
    addFlag(command, '--expires <when>', 'of a new key: a time such as 2027-01-31, or 30d, 12h');
    const width = Math.max(...Object.keys(ACTIONS).map(({ length }) => length));
    const lines = Object.entries(ACTIONS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
    command.addHelpText(
      'after',
      `\n${lines.join('\n')}\n\n` +
        'Example: nextquill store import --store people --data users.jsonl\n' +
        '         nextquill store keys add --store people --role app --name web\n' +
        '         nextquill store forget --store people --user u1 --model embedded --json',
    );
  },
  run: async ([name, what], flags, session) => {
    const entry = Object.hasOwn(ACTIONS, name ?? '') ? ACTIONS[name!] : undefined;
    if (entry === undefined)
      throw new ConfigError(`store: expected ${Object.keys(ACTIONS).join(', ')}, got ${name ?? 'nothing'}`, {
        code: 'usage/action',
        hint: 'See "nextquill help store".',
      });
    const given = flags as StoreFlags;
    const extra = (Object.keys(given) as (keyof StoreFlags)[]).find(
      (flag) => flag !== 'store' && !entry.flags.includes(flag),
    );
    if (extra !== undefined)
      throw withoutEffect(`--${extra.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`, name!);
    if (what !== undefined && name !== 'keys') throw withoutEffect(what, name!);
    const run = name === 'keys' ? KEY_ACTIONS[what ?? 'list'] : entry.run;
    if (run === undefined)
      throw new ConfigError(`store keys: expected list, add or remove, got ${what}`, {
        code: 'usage/action',
        hint: 'See "nextquill help store".',
      });
    const folder = required(given.store, '--store', 'Name the folder of the store.');
    if (name !== 'import' && what !== 'add' && !(await exists(join(folder, DATABASE_FILE))))
      throw new ConfigError(`--store: expected the folder of a store, got ${folder}, which holds none`, {
        code: 'store/missing',
        hint: 'Correct the path; import and keys add make a store.',
      });
    await using store = await openStore(folder);
    await run(store, given, session);
  },
};

const withoutEffect = (what: string, action: string) =>
  new ConfigError(`store ${action}: expected other flags, got ${what}, which has no effect here`, {
    code: 'config/no-effect',
    hint: 'Leave it out.',
  });

async function importInto(store: OpenedStore, flags: StoreFlags, session: Session): Promise<void> {
  const { from, data, withResponses = false } = flags;
  if ((from === undefined) === (data === undefined))
    throw new ConfigError(
      `store import: expected either --from or --data, got ${from === undefined ? 'neither' : 'both'}`,
      {
        code: 'usage/source',
        hint: 'Name what export wrote by --from, or examples by --data.',
      },
    );
  const { signal, notice } = session;
  const imported =
    from === undefined
      ? importExamples(store, await readExamples(data!, { signal, onNotice: notice }), { withResponses })
      : await importLines(store, readLines(from, signal), from);
  const { users, added, unchanged } = imported;
  session.print(
    session.options.json
      ? `${JSON.stringify(imported)}\n`
      : `${users} users, ${added} new items, ${unchanged} that were there\n`,
  );
}

async function exportFrom(store: OpenedStore, { user, out, force }: StoreFlags, session: Session) {
  async function* lines(): AsyncGenerator<string> {
    for (const line of exportLines(store, user)) yield `${JSON.stringify(line)}\n`;
  }
  if (out === undefined) {
    for await (const line of lines()) session.print(line);
    return;
  }
  await checkFilePlace(out, { force: force === true });
  await writeLines(out, lines());
  session.note(`${out} holds users’ texts.`);
}

async function forget(store: OpenedStore, { user, item, model }: StoreFlags, session: Session) {
  const id = required(user, '--user', 'Name the user to forget.');
  if (item !== undefined && model !== undefined) throw withoutEffect('--model', 'forget --item');
  const { threads } = session.options;
  const open = (folder: string | undefined) =>
    openScoredModel(model!, { ...openingOf(session), ...(folder !== undefined && { adapter: folder }) });
  await using measures =
    model === undefined ? undefined : localMeasures(open, threads === undefined ? {} : { threads });
  const options = { ...(measures && { measures }), signal: session.signal };
  const receipt =
    item === undefined ? await store.forgetUser(id, options) : await store.removeItem(id, item, options);
  session.print(
    session.options.json ? `${JSON.stringify(receipt)}\n` : `${JSON.stringify(receipt, null, 2)}\n`,
  );
  checkComplete(receipt);
}

function checkComplete({ id, status, problems }: Receipt): void {
  if (status === 'complete') return;
  const list = Array.isArray(problems) ? problems.join('; ') : status;
  throw new ContractError(
    `receipt ${id}: expected a forgetting that is complete, got one that is not: ${list}`,
    {
      code: 'store/forget-incomplete',
      hint: 'The rows are gone; remove what the receipt names, and run "nextquill store check".',
    },
  );
}

async function listKeys(store: OpenedStore, { user, role, name, expires }: StoreFlags, session: Session) {
  const extra = Object.entries({ role, name, expires }).find(([, value]) => value !== undefined);
  if (extra !== undefined) throw withoutEffect(`--${extra[0]}`, 'keys list');
  const keys = store.keys(user);
  if (session.options.json) session.print(`${JSON.stringify({ keys })}\n`);
  else session.print(keys.map((key) => `${keyLine(key)}\n`).join('') || 'no keys\n');
}

const keyLine = ({ name, role, user, created, expires, used }: StoredKey) =>
  terminalText(
    [
      name,
      role,
      ...(user === undefined ? [] : [user]),
      `made ${created.slice(0, 10)}`,
      ...(expires === undefined ? [] : [`expires ${expires}`]),
      used === undefined ? 'never used' : `used ${used}`,
    ].join('  '),
  );

async function addKey(store: OpenedStore, { role, name, user, expires }: StoreFlags, session: Session) {
  const added = store.addKey({
    role: required(role, '--role', 'Choose admin, app or user.'),
    name: required(name, '--name', 'Name the key, such as web.'),
    ...(user !== undefined && { user }),
    ...(expires !== undefined && { expires: timeAfter(expires) }),
  });
  session.print(session.options.json ? `${JSON.stringify(added)}\n` : `${added.token}\n`);
  session.note('This is the only time that the key is shown.');
}

async function removeKey(store: OpenedStore, { role, name, user, expires }: StoreFlags, session: Session) {
  if (role !== undefined || expires !== undefined) throw withoutEffect('--role or --expires', 'keys remove');
  const removed = required(name, '--name', 'Name the key.');
  store.removeKey(removed, user);
  session.print(session.options.json ? `${JSON.stringify({ removed })}\n` : `removed ${removed}\n`);
}

/** `30d` and `12h` as a time from now; anything else as it is, which the store checks. */
function timeAfter(text: string): string {
  const [, count, unit] = /^(\d+)([dh])$/.exec(text) ?? [];
  if (count === undefined) return text;
  return new Date(Date.now() + Number(count) * (unit === 'd' ? 86_400_000 : 3_600_000)).toISOString();
}

async function check(store: OpenedStore, _flags: StoreFlags, session: Session): Promise<void> {
  const faults = await store.check();
  const { users, items } = store.counts();
  if (session.options.json) session.print(`${JSON.stringify({ users, items, faults })}\n`);
  else
    session.print(
      `${users} users, ${items} items\n${faults.map((fault) => `! ${terminalText(fault)}\n`).join('')}`,
    );
  if (faults.length > 0)
    throw new ContractError(
      `store: expected a whole one, got ${faults.length} faults, such as ${faults[0]}`,
      {
        code: 'store/faults',
        hint: 'Restore the store from a backup, or put the adapter again.',
      },
    );
}

async function backup(store: OpenedStore, { out, force }: StoreFlags, session: Session): Promise<void> {
  const folder = required(out, '--out', 'Name a new folder for the copy.');
  const isStore = (names: readonly string[]) => names.includes('nextquill.db');
  await checkWholeFolderPlace(folder, isStore, { force: force === true });
  await backUp(store, folder);
  session.print(session.options.json ? `${JSON.stringify({ out: folder })}\n` : `${folder}\n`);
  session.note(`${folder} holds users’ texts, and what is forgotten later stays in it.`);
}
