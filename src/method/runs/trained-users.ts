/** @file Whose texts weights were trained on, without their names: salted hashes, so that a user who leaves can be looked up. */
import { createHmac } from 'node:crypto';
import { sha256 } from '../../base/hash.ts';
import type { AdapterInfo } from '../../engine/lora/adapter-folder.ts';

/** Users as hashes. Whoever knows a name can ask for it; the hashes do not give the names. */
export interface TrainedUsers {
  readonly salt: string;
  /** First 16 digits of HMAC-SHA256 of each name with the salt, sorted. */
  readonly hashes: readonly string[];
}

/** @param dataHash names the data: from it comes the salt, so that a run repeated is the same */
export function trainedUsers(users: readonly string[], dataHash: string): TrainedUsers {
  const salt = sha256(`users of ${dataHash}`).slice(0, 32);
  return { salt, hashes: [...new Set(users.map((user) => hashOf(user, salt)))].sort() };
}

/** Whether the `nextquill.json` of weights says that they were trained on texts of a user. */
export function wasTrainedOn(info: AdapterInfo | undefined, user: string): 'yes' | 'no' | 'unknown' {
  const { salt, hashes } = (info?.trainedOnUsers ?? {}) as { salt?: unknown; hashes?: unknown };
  if (typeof salt !== 'string' || !Array.isArray(hashes)) return 'unknown';
  return hashes.includes(hashOf(user, salt)) ? 'yes' : 'no';
}

const hashOf = (user: string, salt: string) =>
  createHmac('sha256', salt).update(user).digest('hex').slice(0, 16);
