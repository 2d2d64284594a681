/** @file LongLaMP: product reviews, abstracts and posts, from Parquet or JSON, streamed; profile texts are cut while reading. */
import type { Example } from '../../../method/data/example.ts';
import { type ProfileItem, profileHistory, splitOfPath } from '../profile-history.ts';
import type { ReadContext, Reader } from '../reader.ts';
import { objectsOf, placeOf, plainText } from '../row.ts';
import { tableRows } from '../table-rows.ts';

type Item = Readonly<Record<string, unknown>>;

/** One row a task, told by the field that names the user. The items of the temporal splits have no date either. */
const TASKS: readonly {
  readonly task: string;
  readonly user: string;
  readonly item: (item: Item) => ProfileItem;
}[] = [
  {
    task: 'product_review',
    user: 'reviewerId',
    item: (item) => ({
      query: [item.summary, item.description].flatMap((value) => plainText(value) ?? []).join('\n'),
      text: plainText(item.reviewText),
      ...(plainText(item.overall) !== undefined && { meta: { rating: Number(item.overall) } }),
    }),
  },
  {
    task: 'abstract_generation',
    user: 'name',
    item: (item) => ({
      ...{
        id: plainText(item.id),
        time: item.year,
        query: plainText(item.title),
        text: plainText(item.abstract),
      },
    }),
  },
  {
    task: 'topic_writing',
    user: 'author',
    item: (item) => ({
      id: plainText(item.id),
      query: plainText(item.summary),
      text: plainText(item.content),
    }),
  },
];

/** UTF-8 bytes of a text that are read at most: one profile text is known to be of 256 MB. */
const READ_BYTES = 1 << 16;

export const longlampReader: Reader = {
  name: 'longlamp',
  summary: 'LongLaMP: product reviews, abstracts, posts; Parquet or JSON',
  sources: 'train-00000-of-00003.parquet or .json(l) …',
  takes: ['maxItemLength'],
  examples: longlampExamples,
};

async function* longlampExamples({
  sources,
  options,
  faults,
  signal,
  note,
}: ReadContext): AsyncGenerator<Example> {
  for (const source of sources) {
    const split = splitOfPath(source);
    for await (const row of tableRows(source, faults, { signal, maxStringBytes: READ_BYTES })) {
      const { values } = row;
      const place = placeOf(row);
      const task = TASKS.find(({ user }) => plainText(values[user]) !== undefined);
      if (task === undefined) {
        faults.add('missing-user', place, `none of ${TASKS.map(({ user }) => user).join(', ')}`);
        continue;
      }
      const [query, response] = [plainText(values.input), plainText(values.output)?.trim()];
      if (query === undefined || response === undefined) {
        faults.add(query === undefined ? 'missing-query-field' : 'no-response', place);
        continue;
      }
      const history = profileHistory(objectsOf(values.profile).map(task.item), place, faults, {
        maxItemLength: options.maxItemLength,
      });
      note(
        'LongLaMP gives no times but the years of abstracts; histories keep the order of the profile elsewhere',
      );
      yield {
        id: `${task.task}/${split ?? 'all'}/${sources.length > 1 ? `${sources.indexOf(source)}/` : ''}${row.line}`,
        user: plainText(values[task.user])!,
        ...{ query, response, history, meta: { task: task.task } },
        ...(split !== undefined && { split }),
      };
    }
  }
}
