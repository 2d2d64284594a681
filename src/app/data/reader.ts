/** @file What a reader is: from sources in one format to texts of users, or to whole examples where the source has them. */
import type { FaultLog } from '../../method/corpus/source-faults.ts';
import type { UserText } from '../../method/corpus/user-text.ts';
import type { Example } from '../../method/data/example.ts';
import type { AboutItem } from './text-store.ts';

/** What a reader may be told; each names the flags that it takes. */
export interface ReaderOptions {
  /** Columns of a table, by what they hold. */
  readonly user?: string;
  readonly time?: string;
  readonly text?: string;
  readonly domain?: string;
  readonly id?: string;
  /** Column of the author's own name. */
  readonly name?: string;
  /** Columns that are kept in `meta`. */
  readonly keep?: readonly string[];
  /** The query with columns in braces, such as `Review of {title}`. */
  readonly query?: string;
  /** Files of what the texts are about: Amazon's and DPL's item metadata, PersonaMem's contexts, LaMP's outputs. */
  readonly items?: readonly string[];
  /** The author of a chat export or a folder: a name, address or id. */
  readonly author?: string;
  /** Whose messages are the texts in a file of messages. */
  readonly role?: 'user' | 'assistant';
  readonly dateOrder?: 'day-first' | 'month-first';
  /** Characters of a history text that are kept of benchmarks with long profiles. */
  readonly maxItemLength?: number;
  /** Take texts as they are: no tags, no entities. */
  readonly keepHtml?: boolean;
}

export interface ReadContext {
  readonly sources: readonly string[];
  readonly options: ReaderOptions;
  readonly faults: FaultLog;
  readonly signal: AbortSignal | undefined;
  /** One line for people, such as what a data set does not hold; told once. */
  readonly note: (message: string) => void;
}

/** A format that `nextquill data` reads. */
export interface Reader {
  readonly name: string;
  /** One line for the help text. */
  readonly summary: string;
  /** What the sources are. */
  readonly sources: string;
  /** Options that it takes, beside those of all. */
  readonly takes: readonly (keyof ReaderOptions)[];
  /** Whether texts may hold tags and entities; default false. */
  readonly holdsHtml?: boolean;
  /** Texts that become examples by user and time. */
  readonly texts?: (context: ReadContext) => AsyncIterable<UserText>;
  /** What the texts are about, joined by {@link UserText.about}. */
  readonly items?: (context: ReadContext) => AsyncIterable<AboutItem>;
  /** The text with the query that what it is about gives it. */
  readonly complete?: (text: UserText, about: Readonly<Record<string, string>> | undefined) => UserText;
  /** Examples, where the source has histories. */
  readonly examples?: (context: ReadContext) => AsyncIterable<Example>;
}
