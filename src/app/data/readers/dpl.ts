/** @file The layout of DPL and NextQuill: `{user_id, profile: [review], data: review}`, items joined on `asin`. */
import { firstWords } from '../../../method/corpus/first-words.ts';
import { reviewQuery } from '../../../method/corpus/review-query.ts';
import type { Example } from '../../../method/data/example.ts';
import { readTime } from '../../../method/data/read-time.ts';
import { profileHistory, splitOfPath } from '../profile-history.ts';
import type { ReadContext, Reader } from '../reader.ts';
import { isObject, objectsOf, placeOf, plainText, shortNumber } from '../row.ts';
import { tableRows } from '../table-rows.ts';

type Review = Readonly<Record<string, unknown>>;
interface Item {
  readonly title: string | undefined;
  readonly description: string | undefined;
}

export const dplReader: Reader = {
  name: 'dpl',
  summary: 'DPL’s layout of reviews; --items names DPL-meta',
  sources: 'train.parquet or .json(l) …',
  takes: ['items', 'maxItemLength'],
  examples: dplExamples,
};

async function* dplExamples(context: ReadContext): AsyncGenerator<Example> {
  const { sources, options, faults, signal } = context;
  const items = await itemsOf(context);
  for (const source of sources) {
    const split = splitOfPath(source);
    for await (const row of tableRows(source, faults, { signal })) {
      const { user_id, profile, data } = row.values;
      const user = plainText(user_id);
      const place = placeOf(row);
      if (user === undefined || !isObject(data)) {
        faults.add(user === undefined ? 'missing-user' : 'no-response', place);
        continue;
      }
      const response = plainText(data.text)?.trim();
      const asin = plainText(data.asin);
      if (response === undefined || response === '') {
        faults.add('missing-text', place);
        continue;
      }
      const time = readTime(data.timestamp)?.iso;
      const fields = {
        ...{ id: `${user}/${asin ?? row.line}`, user, response, query: queryOf(data, items) },
        ...(time !== undefined && { time }),
      };
      const history = profileHistory(
        objectsOf(profile).map((review) => ({
          ...{ id: plainText(review.asin), time: review.timestamp, query: queryOf(review, items) },
          text: plainText(review.text),
        })),
        place,
        faults,
        { maxItemLength: options.maxItemLength, before: time },
      );
      yield { ...fields, history, ...(split !== undefined && { split }) };
    }
  }
}

function queryOf(review: Review, items: ReadonlyMap<string, Item>): string {
  const item = items.get(plainText(review.asin) ?? '');
  const rating = plainText(review.rating);
  return reviewQuery({
    ...{ item: item?.title, description: item?.description, title: plainText(review.title) },
    rating: rating === undefined ? undefined : shortNumber(rating),
  });
}

/** The items that the sources name, and no others: the whole of DPL-meta does not fit into a small memory. */
async function itemsOf({
  sources,
  options,
  faults,
  signal,
}: ReadContext): Promise<ReadonlyMap<string, Item>> {
  const items = new Map<string, Item>();
  if (options.items === undefined) return items;
  const wanted = new Set<string>();
  const silent = { add: () => {}, list: () => [] };
  for (const source of sources)
    for await (const { values } of tableRows(source, silent, { signal, maxStringBytes: 64 }))
      for (const review of [...objectsOf(values.profile), ...objectsOf([values.data])]) {
        const asin = plainText(review.asin);
        if (asin !== undefined) wanted.add(asin);
      }
  for (const path of options.items)
    for await (const { values } of tableRows(path, faults, { signal, maxStringBytes: 4096 })) {
      const asin = plainText(values.asin);
      if (asin === undefined || !wanted.has(asin)) continue;
      const field = (value: unknown) => {
        const text = plainText(value);
        return text === undefined ? undefined : firstWords(text, 600);
      };
      items.set(asin, { title: field(values.title), description: field(values.description) });
    }
  for (const asin of wanted)
    if (!items.has(asin)) faults.add('unknown-item', { file: options.items[0]! }, asin);
  return items;
}
