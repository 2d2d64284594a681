/**
 * @file What the server needs of a store: users, their histories, keys, adapters and receipts of forgetting. Calls that
 * only touch the database return at once, and what they changed is on disk when they return.
 *
 * Errors carry these codes, which the server turns into answers: `store/user-not-found`, `store/user-being-forgotten`,
 * `store/item-not-found`, `store/item-conflict`, `store/adapter-not-found`, `store/key-not-found`, `store/limit` (DataError)
 * and `store/full` (EngineError: the disk is full and nothing was changed).
 */

/** What a user writes and what was asked for, as it is stored. */
export interface StoredItem {
  readonly id: string;
  /** ISO 8601, date or date and time; items are in the order of time, then of arrival. */
  readonly time: string;
  /** '' where nothing was asked. */
  readonly query: string;
  readonly text: string;
  readonly meta?: JsonObject;
}

/** An item as it is given: without an id it gets the hash of its content, without a time that of its arrival. */
export type NewItem = Pick<StoredItem, 'text'> & Partial<StoredItem>;

export type JsonObject = Readonly<Record<string, unknown>>;

export interface StoredUser {
  readonly id: string;
  /** Name of the adapter that serves the user; the server's default where absent. */
  readonly adapter?: string;
  readonly strength?: number;
  readonly meta: JsonObject;
  readonly historyItems: number;
  /** Rises with every change of the history. */
  readonly historyVersion: number;
  readonly created: string;
  /** While a forgetting runs: no request for the user is taken. */
  readonly forgetting: boolean;
}

/** What is set; a key that is absent stays as it is, null removes. */
export interface UserChange {
  readonly adapter?: string | null;
  readonly strength?: number | null;
  readonly meta?: JsonObject;
}

export type KeyRole = 'admin' | 'app' | 'user';

export interface StoredKey {
  readonly role: KeyRole;
  /** Of a key with the role `user`. */
  readonly user?: string;
  readonly name: string;
  readonly created: string;
  readonly expires?: string;
  /** Day of the last use. */
  readonly used?: string;
}

/** An adapter: its content never changes, its name may come to mean another. */
export interface StoredAdapter {
  readonly name: string;
  /** SHA-256 of its files. */
  readonly hash: string;
  /** The only user it serves; shared where absent. */
  readonly owner?: string;
  readonly created: string;
  /** What the server found when it checked it, such as its rank. */
  readonly info: JsonObject;
  /** Where its files are, in PEFT's layout. */
  readonly folder: string;
}

/** An adapter as it comes in. */
export interface NewAdapter {
  readonly name: string;
  readonly owner?: string;
  /** By file name: adapter_config.json, adapter_model.safetensors, and nextquill.json where there is one. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Checks the files, written to a temporary folder, before anything is kept; what it throws ends the call. */
  check(folder: string): Promise<JsonObject>;
}

export interface ListOptions {
  /** At most this many; the store itself cuts at 500. */
  readonly limit: number;
  /** Id of the last one of the page before. */
  readonly after?: string;
}

export interface Page<T> {
  readonly data: readonly T[];
  readonly hasMore: boolean;
}

/** A text of the user's own, and the items before it. */
export interface ForgettingProbe {
  readonly query: string;
  readonly text: string;
  readonly history: readonly StoredItem[];
}

/** How a forgetting measures what a model still knows: the store has no model. */
export interface ForgettingMeasures {
  /**
   * log p of the tokens of each probe's text, nats, with its history and without.
   * @param adapter the server's base, or its default adapter, where absent
   */
  logProbabilities(
    probes: readonly ForgettingProbe[],
    adapter: StoredAdapter | undefined,
  ): Promise<
    readonly { readonly withHistory: readonly number[]; readonly withoutHistory: readonly number[] }[]
  >;
  /** Ends running requests of the user, and zeroes what memory holds of them. */
  releaseUser(user: string): Promise<void>;
}

export interface ForgettingOptions {
  /** Absent: the receipt has no `effect`. */
  readonly measures?: ForgettingMeasures;
  readonly signal?: AbortSignal;
}

/** The receipt of section 2.9 of the contract, as it is stored and answered; `status` other than `complete` says what is missing. */
export interface Receipt extends JsonObject {
  readonly object: 'nextquill.receipt';
  readonly id: string;
  readonly status: 'pending' | 'complete' | 'complete_without_search' | 'incomplete';
}

/** Everything that outlives a request. Disposing writes what is left and gives up the lock. */
export interface Store extends AsyncDisposable {
  /** Absent for a store in memory. */
  readonly folder?: string;
  /** Names users in logs and file names without telling who they are: HMAC with the store's salt. */
  pseudonym(user: string): string;
  /** Where scores that were computed for a user may be kept: they go when the user is forgotten. */
  effectsFolder(user: string): string;
  counts(): { readonly users: number; readonly items: number };

  user(id: string): StoredUser | undefined;
  /** Makes the user when it is not there. */
  putUser(id: string, change: UserChange): StoredUser;
  users(options: ListOptions & { readonly prefix?: string }): Page<StoredUser>;

  /** The latest items, oldest first, with the version that they are of. @throws `store/user-not-found` */
  history(
    user: string,
    options?: { readonly latest?: number },
  ): {
    readonly items: readonly StoredItem[];
    readonly version: number;
  };
  items(user: string, options: ListOptions & { readonly order?: 'oldest' | 'newest' }): Page<StoredItem>;
  /**
   * All or none. An id that is there with the same content counts as unchanged.
   * @throws `store/user-not-found`, `store/item-conflict`, `store/limit` above `most` items of the user
   */
  addItems(
    user: string,
    items: readonly NewItem[],
    options?: { readonly most?: number },
  ): {
    readonly added: number;
    readonly unchanged: number;
    readonly historyItems: number;
    readonly historyVersion: number;
  };
  /** Forgets one item, searched for like a user. @throws `store/item-not-found` */
  removeItem(user: string, item: string, options?: ForgettingOptions): Promise<Receipt>;
  /** @throws `store/user-not-found` */
  forgetUser(user: string, options?: ForgettingOptions): Promise<Receipt>;
  receipt(id: string): Receipt | undefined;

  /** The key of a token that a caller sends, expired ones too. */
  authenticate(token: string): StoredKey | undefined;
  /** @returns the token, which is shown once */
  addKey(key: Pick<StoredKey, 'role' | 'user' | 'name' | 'expires'>): {
    readonly token: string;
    readonly key: StoredKey;
  };
  keys(user?: string): readonly StoredKey[];
  /** @param user whose key it is; absent for keys of the roles admin and app. @throws `store/key-not-found` */
  removeKey(name: string, user?: string): void;

  adapters(): readonly StoredAdapter[];
  adapter(name: string): StoredAdapter | undefined;
  putAdapter(adapter: NewAdapter): Promise<StoredAdapter>;
  /** Removes the name; the files go when {@link releaseAdapter} was told of the last use. @throws `store/adapter-not-found` */
  removeAdapter(name: string): Promise<void>;
  /** No request holds the adapter with this hash any more: files that no name stands for may go. */
  releaseAdapter(hash: string): Promise<void>;
}
