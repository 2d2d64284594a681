/** @file The formats that `nextquill data` reads, one row a format. */
import type { Reader } from './reader.ts';
import { amazonReader } from './readers/amazon.ts';
import { chatReaders } from './readers/chats.ts';
import { dplReader } from './readers/dpl.ts';
import { folderReader } from './readers/folder.ts';
import { lampReader } from './readers/lamp.ts';
import { lampQaReader } from './readers/lamp-qa.ts';
import { longlampReader } from './readers/longlamp.ts';
import { mboxReader } from './readers/mbox.ts';
import { personamemReader } from './readers/personamem.ts';
import { prismReader } from './readers/prism.ts';
import { tableReaders } from './readers/table.ts';

export const readers: readonly Reader[] = [
  ...tableReaders,
  ...[amazonReader, dplReader],
  ...[lampReader, longlampReader, lampQaReader, personamemReader, prismReader],
  ...chatReaders,
  ...[mboxReader, folderReader],
];
