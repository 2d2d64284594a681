/** @file A description of data as rows of name and value, for the terminal and for the page. */
import { decimal } from '../../base/number-format.ts';
import type { DataDescription, NamedRows } from '../../method/corpus/describe.ts';
import type { Distribution } from '../../method/corpus/distribution.ts';

/** Rows in the order in which they are read. */
export function dataRows(data: DataDescription): readonly (readonly [name: string, value: string])[] {
  const { splits, domains, words, times } = data;
  const named = (['train', 'validation', 'test', 'none'] as const).filter(
    (name) => splits[name].examples > 0,
  );
  return [
    ['examples', String(data.examples)],
    ['users', String(data.users)],
    ...named.map(
      (name) =>
        [
          name === 'none' ? 'without a split' : name,
          `${splits[name].examples} of ${splits[name].users} users`,
        ] as const,
    ),
    ['examples of a user', distributionText(data.examplesPerUser)],
    ['history items of an example', distributionText(data.historyItems)],
    ['without history', String(data.withoutHistory)],
    ['words of a query', distributionText(words.query)],
    ['words of a response', distributionText(words.response)],
    ['words of a history text', distributionText(words.item)],
    [
      'times',
      times.first === undefined ? 'none' : `${times.first} to ${times.last}; ${times.without} without`,
    ],
    [
      'domains',
      domains.count === 0
        ? 'none'
        : `${domains.count}: ${domains.most.map(([name, count]) => `${name} (${count})`).join(', ')}`,
    ],
    ['repeated responses', namedRowsText(data.repeatedResponses)],
    ['texts that name their author', namedRowsText(data.ownNames)],
    ['leaks', namedRowsText(data.leaks)],
  ];
}

function distributionText(distribution: Distribution | undefined): string {
  if (distribution === undefined) return 'none';
  const { least, median, mean, most90, most } = distribution;
  return least === most
    ? String(least)
    : `median ${median}, mean ${decimal(mean, 1)}, nine tenths up to ${most90}, ${least} to ${most}`;
}

function namedRowsText({ count, share, first }: NamedRows): string {
  if (count === 0) return '0';
  const more = count > first.length ? '; …' : '';
  return `${count} (${decimal(share * 100, 1)} %): ${first.join('; ')}${more}`;
}
