/**
 * @file LaMP-QA: questions with the asker's earlier questions. No answer of a user is published: what the user wrote is the
 * question, so that it is the response; the narrative and the rubric are for a judge and never read.
 */
import { sha256 } from '../../../base/hash.ts';
import type { Example } from '../../../method/data/example.ts';
import { profileHistory, splitOfPath } from '../profile-history.ts';
import type { ReadContext, Reader } from '../reader.ts';
import { objectsOf, placeOf, plainText } from '../row.ts';
import { tableRows } from '../table-rows.ts';

export const lampQaReader: Reader = {
  name: 'lamp-qa',
  summary: 'LaMP-QA: the asker’s own questions (no answers are published)',
  sources: 'train.parquet or .json(l) …',
  takes: ['maxItemLength'],
  examples: lampQaExamples,
};

const ask = (category: string | undefined) =>
  category === undefined ? 'Ask a question.' : `Ask a question about ${category}.`;

async function* lampQaExamples({
  sources,
  options,
  faults,
  signal,
  note,
}: ReadContext): AsyncGenerator<Example> {
  note('LaMP-QA: the responses are the askers’ questions; answers, narratives and rubrics are not used');
  for (const source of sources) {
    const split = splitOfPath(source);
    for await (const row of tableRows(source, faults, { signal })) {
      const { values } = row;
      const place = placeOf(row);
      const [id, response] = [plainText(values.id), plainText(values.question)?.trim()];
      if (response === undefined || response === '') {
        faults.add('no-user-text', place);
        continue;
      }
      const profile = objectsOf(values.profile);
      const history = profileHistory(
        profile.map((item) => ({
          ...{ id: plainText(item.id), query: ask(plainText(item.category)), text: plainText(item.text) },
        })),
        place,
        faults,
        { maxItemLength: options.maxItemLength },
      );
      const category = plainText(values.category);
      const ids = profile.map((item) => plainText(item.id) ?? '').sort();
      yield {
        id: `${split ?? 'all'}/${id ?? row.line}`,
        user: `profile ${sha256(JSON.stringify(ids)).slice(0, 16)}`,
        ...{ query: ask(category), response, history },
        ...(category !== undefined && { domain: category }),
        ...(split !== undefined && { split }),
      };
    }
  }
}
