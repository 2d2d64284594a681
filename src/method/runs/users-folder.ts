/** @file The folder of a run of many users: users.json, and a folder for each user's own run with its adapter. */
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { writeFileAtomically } from '../../base/atomic-file.ts';
import { makeFolder, writeFolderAtomically } from '../../base/atomic-folder.ts';
import { ConfigError, nearestName } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import { sha256 } from '../../base/hash.ts';
import { type UserTexts, userTextsRules } from '../data/user-texts.ts';
import type { DataRecord, Manifest, RunRecipe } from './manifest.ts';
import { readRecord } from './read-record.ts';
import { recordCheck } from './record-check.ts';

/** One user of a run of many. */
export interface UserRecord {
  readonly user: string;
  /** Below `users`. */
  readonly folder: string;
  /** Of the texts that the user's adapter learns from. */
  readonly data: Pick<DataRecord, 'hash' | 'promptsHash'>;
}

/** users.json: what all users share, and who they are. What became of each is in the manifest of the user's own folder. */
export interface UsersManifest {
  readonly formatVersion: 1;
  readonly texts: UserTexts;
  readonly recipe: RunRecipe;
  readonly model: Manifest['model'];
  readonly data: { readonly source: string };
  readonly machine: Manifest['machine'];
  readonly users: readonly UserRecord[];
}

const FILE = 'users.json';
const USERS = 'users';

/** Folders of Windows' devices, whatever follows a dot. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)$/;

/** Where a user's own run is. */
export const userRun = (run: string, folder: string): string => join(run, USERS, folder);

/** Where the runs of all users are. */
export const usersPlace = (run: string): string => join(run, USERS);

/** Whether a folder holds a run of many users. */
export const isUsersRun = (run: string): Promise<boolean> => exists(join(run, FILE));

/**
 * A folder's name for each user: the user's own name in small letters where any system takes it, else what can be kept of it and
 * eight digits of its hash; different for different users where large and small letters are one, too.
 */
export function userFolders(users: readonly string[]): Map<string, string> {
  const names = new Map(users.map((user) => [user, user.toLowerCase()]));
  const counts = new Map<string, number>();
  for (const name of names.values()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return new Map(
    [...names].map(([user, name]) => {
      const isPlain =
        /^[a-z0-9][a-z0-9_-]{0,63}$/.test(name) && !RESERVED.test(name) && counts.get(name) === 1;
      const kept = name.replace(/[^a-z0-9_-]+/g, '-').slice(0, 40);
      return [user, isPlain ? name : `${kept}.${sha256(user).slice(0, 8)}`];
    }),
  );
}

/** Makes the folder of a run that begins, with users.json in it. */
export async function createUsersFolder(run: string, manifest: UsersManifest): Promise<void> {
  await makeFolder(dirname(run));
  await writeFolderAtomically(run, async (temporary) => {
    await mkdir(usersPlace(temporary));
    const text = `${JSON.stringify(manifest, null, 2)}\n`;
    await writeFileAtomically(join(temporary, FILE), (file) => file.writeFile(text));
  });
}

/** @throws {CheckpointError} when there is no users.json, or it is damaged */
export async function readUsersManifest(run: string): Promise<UsersManifest> {
  const { json, fail } = await readRecord(join(run, FILE), {
    code: 'run/users',
    holds: 'the users of a run',
    hint: 'Name the folder of a run of many users; where its users.json is damaged, restore it or start a new run.',
  });
  const check = recordCheck(fail);
  const { formatVersion, texts, recipe, model, data, machine, users } = json as Partial<UsersManifest>;
  check('formatVersion', formatVersion, formatVersion === 1, '1');
  check('texts', texts, userTextsRules.includes(texts as UserTexts), userTextsRules.join(' or '));
  for (const [key, value] of Object.entries({ recipe, model, data, machine }))
    check(key, value, typeof value === 'object' && value !== null, 'an object');
  check('users', users, Array.isArray(users) && users.length > 0, 'a list of users');
  users!.forEach((each, place) => {
    const isRight =
      typeof each?.user === 'string' &&
      typeof each.folder === 'string' &&
      basename(each.folder) === each.folder;
    check(`users.${place}`, each, isRight, 'a user and a folder');
  });
  return json as unknown as UsersManifest;
}

/**
 * The adapter folder that somebody names: itself; `adapter/` of a run; or, by `RUN/users/USER`, that of a user of a run of many,
 * the user as the data have the name.
 * @throws {ConfigError} for a run of many users without one of them, and a user whom the run does not have or has not finished
 */
export async function adapterFolder(named: string): Promise<string> {
  if (await exists(join(named, 'adapter_config.json'))) return named;
  if (await exists(join(named, 'adapter', 'adapter_config.json'))) return join(named, 'adapter');
  const found = await userIn(resolve(named));
  if (found === undefined) return named;
  const { run, user } = found;
  const { users } = await readUsersManifest(run);
  const which = `${join(run, USERS)}${sep}USER`;
  if (user === undefined)
    throw new ConfigError(`${named}: expected an adapter, got a run of ${users.length} users`, {
      code: 'adapter/which-user',
      hint: `Name a user's adapter by ${which}, such as "${users[0]!.user}".`,
    });
  const record = users.find((each) => each.user === user || each.folder === user);
  if (record === undefined) {
    const near = nearestName(
      user,
      users.map((each) => each.user),
    );
    throw new ConfigError(`${named}: expected a user of the run, got ${JSON.stringify(user)}`, {
      code: 'adapter/unknown-user',
      hint: near === undefined ? `See ${join(run, FILE)} for its users.` : `Did you mean "${near}"?`,
    });
  }
  const folder = join(userRun(run, record.folder), 'adapter');
  if (await exists(folder)) return folder;
  throw new ConfigError(
    `${named}: expected a user whose training has ended, got one without an adapter yet`,
    {
      code: 'adapter/unfinished-user',
      hint: `Run "nextquill train --resume ${run}" first.`,
    },
  );
}

/** The run of many users that a path leads into, and whom it names; undefined where it leads into none. */
async function userIn(path: string): Promise<{ readonly run: string; readonly user?: string } | undefined> {
  if (await isUsersRun(path)) return { run: path };
  for (let at = path; dirname(at) !== at; at = dirname(at)) {
    if (basename(at) !== USERS || !(await isUsersRun(dirname(at)))) continue;
    const user = relative(at, path).replaceAll(sep, '/');
    return { run: dirname(at), ...(user !== '' && { user }) };
  }
  return undefined;
}

/** The run of many users that a user's own run belongs to; undefined for any other run. */
export async function runOfUser(run: string): Promise<string | undefined> {
  const users = dirname(resolve(run));
  return basename(users) === USERS && (await isUsersRun(dirname(users))) ? dirname(users) : undefined;
}
