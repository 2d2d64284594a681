/** @file LaMP, all public tasks: questions with profiles, and outputs; both are lists or wrapped as `{task, golds}`. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, DataError } from '../../../base/errors.ts';
import { exists } from '../../../base/exists.ts';
import { sha256 } from '../../../base/hash.ts';
import type { Example } from '../../../method/data/example.ts';
import { readTime } from '../../../method/data/read-time.ts';
import { jsonValues } from '../json-values.ts';
import { type ProfileItem, profileHistory, splitOfPath } from '../profile-history.ts';
import type { ReadContext, Reader } from '../reader.ts';
import { isObject, objectsOf, plainText } from '../row.ts';

type Item = Readonly<Record<string, unknown>>;

/** Of a profile item: what the user wrote or chose, and what that answers. Found by the item's own fields. */
const TASKS: readonly {
  readonly task: string;
  readonly fields: readonly string[];
  readonly query: readonly string[];
  readonly text: string;
}[] = [
  { task: 'LaMP_2', fields: ['description', 'tag'], query: ['description'], text: 'tag' },
  { task: 'LaMP_3', fields: ['text', 'score'], query: ['text'], text: 'score' },
  { task: 'LaMP_2_old', fields: ['title', 'text', 'category'], query: ['title', 'text'], text: 'category' },
  { task: 'LaMP_4 or LaMP_6', fields: ['title', 'text'], query: ['text'], text: 'title' },
  { task: 'LaMP_1 or LaMP_5', fields: ['title', 'abstract'], query: ['abstract'], text: 'title' },
  { task: 'LaMP_7', fields: ['text'], query: [], text: 'text' },
];

export const lampReader: Reader = {
  name: 'lamp',
  summary: 'LaMP 1 to 7; outputs lie beside the questions, or are named by --items',
  sources: 'FOLDER or train_questions.json …',
  takes: ['items', 'maxItemLength'],
  examples: lampExamples,
};

async function* lampExamples(context: ReadContext): AsyncGenerator<Example> {
  const { sources, options, faults, signal, note } = context;
  for (const path of await questionFiles(sources)) {
    const golds = await outputsOf(path, context);
    const split = splitOfPath(path);
    for await (const { value, line } of jsonValues(path, faults, { arrayAt: 'golds', signal })) {
      const place = { file: path, line };
      if (!isObject(value)) {
        faults.add('wrong-type', place, JSON.stringify(value));
        continue;
      }
      const id = plainText(value.id);
      const response = id === undefined ? undefined : golds.byId.get(id)?.trim();
      const query = plainText(value.input);
      if (id === undefined || query === undefined) {
        faults.add('wrong-type', place, 'a question has an id and an input');
        continue;
      }
      if (response === undefined || response === '') {
        faults.add('no-response', place, id);
        continue;
      }
      const profile = objectsOf(value.profile);
      const time = readTime(value.date)?.iso;
      const history = profileHistory(profile.map(itemOf), place, faults, {
        ...{ maxItemLength: options.maxItemLength, before: time },
      });
      const ids = profile.map((item) => plainText(item.id) ?? '').sort();
      const user = plainText(value.user_id) ?? `profile ${sha256(JSON.stringify(ids)).slice(0, 16)}`;
      if (value.user_id === undefined)
        note('LaMP names no users in this split: a user is known by the ids of the profile');
      yield {
        ...{ id: `${golds.task ?? 'LaMP'}/${split ?? 'all'}/${id}`, user, query, response, history },
        ...(time !== undefined && { time }),
        ...(split !== undefined && { split }),
        ...(golds.task !== undefined && { meta: { task: golds.task } }),
      };
    }
  }
}

function itemOf(item: Item): ProfileItem {
  const task = TASKS.find(({ fields }) => fields.every((field) => item[field] !== undefined));
  const query = (task?.query ?? []).map((field) => plainText(item[field]) ?? '').join('\n');
  return { id: plainText(item.id), time: item.date, query, text: plainText(item[task?.text ?? 'text']) };
}

/** Questions of a folder, or the files themselves. */
async function questionFiles(sources: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for (const source of sources) {
    const info = await stat(source).catch(() => undefined);
    if (info?.isDirectory() !== true) {
      files.push(source);
      continue;
    }
    const found = (await readdir(source)).filter((name) => /_questions\.json(?:\.gz)?$/.test(name)).sort();
    if (found.length === 0)
      throw new DataError(`${source}: expected files such as train_questions.json, got none`, {
        code: 'data/missing-file',
        hint: 'Name a folder of one LaMP task, or its files.',
      });
    files.push(...found.map((name) => join(source, name)));
  }
  return files;
}

interface Outputs {
  readonly task: string | undefined;
  readonly byId: ReadonlyMap<string, string>;
}

/** The outputs of a file of questions; none for test questions, whose outputs are not published. */
async function outputsOf(questions: string, { options, faults, signal }: ReadContext): Promise<Outputs> {
  const beside = questions.replace(/_questions(\.json(?:\.gz)?)$/, '_outputs$1');
  const paths = options.items ?? (beside !== questions && (await exists(beside)) ? [beside] : []);
  if (paths.length === 0 && splitOfPath(questions) !== 'test')
    throw new ConfigError(`${questions}: expected outputs beside it (${beside}), got none`, {
      code: 'data/missing-file',
      hint: 'Put the outputs beside the questions, or name them by --items.',
    });
  const byId = new Map<string, string>();
  let task: string | undefined;
  for (const path of paths)
    for await (const { value } of jsonValues(path, faults, { signal })) {
      if (!isObject(value)) continue;
      const golds = Array.isArray(value.golds) ? objectsOf(value.golds) : [value];
      task ??= plainText(value.task);
      for (const gold of golds) {
        const [id, output] = [plainText(gold.id), plainText(gold.output)];
        if (id !== undefined && output !== undefined) byId.set(id, output);
      }
    }
  return { task, byId };
}
