/** @file Amazon Reviews 2023: reviews joined with item metadata on `parent_asin`. */
import { firstWords } from '../../../method/corpus/first-words.ts';
import { reviewQuery } from '../../../method/corpus/review-query.ts';
import type { UserText } from '../../../method/corpus/user-text.ts';
import type { ReadContext, Reader } from '../reader.ts';
import { placeOf, plainText, shortNumber } from '../row.ts';
import { tableRows } from '../table-rows.ts';
import type { AboutItem } from '../text-store.ts';
import { timeOfRow } from './table.ts';

const FIELD = 600;

export const amazonReader: Reader = {
  name: 'amazon',
  summary: 'Amazon Reviews 2023; --items joins the item metadata on parent_asin',
  sources: 'REVIEWS.jsonl[.gz] …',
  takes: ['items', 'keepHtml'],
  holdsHtml: true,
  texts: amazonTexts,
  items: amazonItems,
  complete: (text, about) => {
    const { rating, title } = (text.meta ?? {}) as { readonly rating?: number; readonly title?: string };
    const { item, description, category } = about ?? {};
    return {
      ...text,
      query: reviewQuery({
        item,
        description,
        rating: rating === undefined ? undefined : String(rating),
        title,
      }),
      ...(category !== undefined && { domain: category }),
    };
  },
};

async function* amazonTexts({ sources, options, faults, signal }: ReadContext): AsyncGenerator<UserText> {
  for (const source of sources)
    for await (const row of tableRows(source, faults, { signal })) {
      const { values } = row;
      const user = plainText(values.user_id);
      const text = values.text;
      if (user === undefined) faults.add('missing-user', placeOf(row, 'user_id'));
      else if (typeof text !== 'string' || text.trim() === '')
        faults.add(typeof text === 'number' ? 'wrong-type' : 'missing-text', placeOf(row, 'text'));
      else {
        const time = timeOfRow(row, 'timestamp', {}, faults);
        if (typeof time !== 'string') continue;
        const item = plainText(values.parent_asin) ?? plainText(values.asin);
        const rating = plainText(values.rating);
        const title = plainText(values.title);
        yield {
          ...{ user, time, text, query: '' },
          ...(item !== undefined && { id: item }),
          ...(item !== undefined && options.items !== undefined && { about: item }),
          meta: {
            ...(rating !== undefined && { rating: Number(shortNumber(rating)) }),
            ...(title !== undefined && { title }),
          },
          place: placeOf(row),
        };
      }
    }
}

async function* amazonItems({ options, faults, signal }: ReadContext): AsyncGenerator<AboutItem> {
  for (const path of options.items ?? [])
    for await (const row of tableRows(path, faults, { signal, maxStringBytes: 4096 })) {
      const { parent_asin, title, description, main_category } = row.values;
      const key = plainText(parent_asin);
      if (key === undefined) continue;
      const fields = {
        ...textField('item', title),
        ...textField(
          'description',
          Array.isArray(description) ? description.filter(isText).join(' ') : description,
        ),
        ...textField('category', main_category),
      };
      yield { key, fields };
    }
}

const isText = (value: unknown): value is string => typeof value === 'string';

function textField(name: string, value: unknown): Readonly<Record<string, string>> {
  const text = plainText(value)?.trim();
  return text === undefined || text === '' ? {} : { [name]: firstWords(text, FIELD) };
}
