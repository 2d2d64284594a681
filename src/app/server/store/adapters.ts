/**
 * @file Adapters of a store: files under the hash of their content, which never change, and names that may come to mean other
 * content.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../../../base/atomic-file.ts';
import { removeTemporaries, writeFolderAtomically } from '../../../base/atomic-folder.ts';
import { DataError, EngineError, type NextQuillError } from '../../../base/errors.ts';
import { exists } from '../../../base/exists.ts';
import type { JsonObject, NewAdapter, StoredAdapter } from '../store-contract.ts';
import type { Database, Row } from './database.ts';
import { checkId, jsonText } from './ids.ts';
import { activeUser, noAdapter } from './users.ts';

/** Where adapters are: rows in the database, files in a folder. */
export interface AdapterPlace {
  readonly db: Database;
  /** `adapters` of the store. */
  readonly folder: string;
}

export function adapterNamed({ db, folder }: AdapterPlace, name: string): StoredAdapter | undefined {
  const row = db.get('SELECT * FROM adapters WHERE name = ?', name);
  return row && asAdapter(row, folder);
}

export function allAdapters({ db, folder }: AdapterPlace): readonly StoredAdapter[] {
  return db.all('SELECT * FROM adapters ORDER BY name').map((row) => asAdapter(row, folder));
}

/**
 * Keeps an adapter under its hash, and lets its name mean it from now on.
 * @throws {DataError} `store/id`, `store/adapter-owner` when the name is somebody else's, `store/user-not-found` for the owner
 * @throws {EngineError} `store/full`; then, as after any error, the name means what it meant
 */
export async function putAdapter(
  place: AdapterPlace,
  { name, owner, files, check }: NewAdapter,
): Promise<StoredAdapter> {
  const { db, folder } = place;
  checkId('adapter', name);
  for (const file of Object.keys(files))
    if (!/^[a-z][a-z_.]*$/.test(file))
      throw new DataError(`adapter ${name}: expected plain names of files, got ${JSON.stringify(file)}`, {
        code: 'store/adapter-file',
        hint: 'Send adapter_config.json, adapter_model.safetensors and, where there is one, nextquill.json.',
      });
  checkOwner(db, name, owner);
  const hash = hashOfFiles(files);
  const path = join(folder, hash);
  let info: JsonObject = {};
  try {
    if (await exists(path)) info = await check(path);
    else
      await writeFolderAtomically(path, async (temporary) => {
        for (const [file, bytes] of Object.entries(files)) await writeFile(join(temporary, file), bytes);
        info = await check(temporary);
      });
    const infoText = jsonText(`adapter ${name}: info`, info);
    db.transaction(() => {
      checkOwner(db, name, owner);
      db.run(
        `INSERT INTO adapters (name, hash, owner, created, info) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, created = excluded.created, info = excluded.info`,
        ...[name, hash, owner ?? null, new Date().toISOString(), infoText],
      );
    });
  } catch (error) {
    await removeUnnamed(place, hash);
    throw (error as Partial<NextQuillError>).code === 'file/disk-full' ? fullDisk(path, error) : error;
  }
  return adapterNamed(place, name)!;
}

function checkOwner(db: Database, name: string, owner: string | undefined): void {
  if (owner !== undefined) activeUser(db, owner);
  const row = db.get('SELECT owner FROM adapters WHERE name = ?', name);
  if (row !== undefined && row.owner !== (owner ?? null))
    throw new DataError(
      `adapter ${name}: expected a name that is free or of the same owner, got another owner's`,
      {
        code: 'store/adapter-owner',
        hint: 'Choose another name, or remove the adapter first.',
      },
    );
}

/** Removes a name; the files stay until {@link removeUnnamed}. @throws {DataError} `store/adapter-not-found` */
export function removeAdapterName({ db }: AdapterPlace, name: string): void {
  if (db.run('DELETE FROM adapters WHERE name = ?', name) === 0) throw noAdapter(name);
}

/** Removes the files of a hash that no name stands for. @returns whether they went */
export async function removeUnnamed({ db, folder }: AdapterPlace, hash: string): Promise<boolean> {
  if (db.get('SELECT 1 FROM adapters WHERE hash = ?', hash) !== undefined) return false;
  await rm(join(folder, hash), { recursive: true, force: true });
  await syncFolder(folder);
  return true;
}

/** Removes what killed writes have left, and files that no name stands for: nobody uses them when a store is opened. */
export async function removeOrphans(place: AdapterPlace): Promise<void> {
  await removeTemporaries(place.folder);
  for (const hash of await readdir(place.folder)) await removeUnnamed(place, hash);
}

/** What is wrong with the files of the adapters, one sentence each. */
export async function adapterFaults(place: AdapterPlace): Promise<string[]> {
  const faults: string[] = [];
  const adapters = allAdapters(place);
  for (const { name, hash, folder } of adapters) {
    const found = await readdir(folder).catch(() => undefined);
    if (found === undefined) faults.push(`adapter ${name}: its folder ${hash} is missing`);
    else if (hashOfFiles(await filesOf(folder, found)) !== hash)
      faults.push(`adapter ${name}: its files in ${hash} were changed`);
  }
  const named = new Set(adapters.map(({ hash }) => hash));
  for (const entry of await readdir(place.folder))
    if (!named.has(entry)) faults.push(`adapters: ${entry} belongs to no adapter`);
  return faults;
}

/** The files of an adapter folder by name, as {@link NewAdapter} takes them. */
export async function filesOf(folder: string, names: readonly string[]): Promise<Record<string, Uint8Array>> {
  const entries = names.map(async (name) => [name, await readFile(join(folder, name))] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** SHA-256 of names, lengths and bytes, in the order of the names. */
function hashOfFiles(files: Readonly<Record<string, Uint8Array>>): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(files).sort()) {
    hash.update(`${name} ${files[name]!.byteLength}\n`);
    hash.update(files[name]!);
  }
  return hash.digest('hex');
}

const fullDisk = (path: string, cause: unknown) =>
  new EngineError(`${path}: expected room for the adapter, got a full disk; nothing was changed`, {
    code: 'store/full',
    hint: 'Free some space, and try again.',
    cause,
  });

function asAdapter(row: Row, folder: string): StoredAdapter {
  const hash = row.hash as string;
  return {
    name: row.name as string,
    hash,
    ...(row.owner !== null && { owner: row.owner as string }),
    created: row.created as string,
    info: JSON.parse(row.info as string) as JsonObject,
    folder: join(folder, hash),
  };
}
