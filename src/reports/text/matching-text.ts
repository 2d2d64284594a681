/** @file How closely other users' histories were matched, in words for a sentence or a cell. */
import type { Matching } from '../../method/others/matching.ts';

/** `domain, period ±12 years (median 4), length ±20 % (median 5)`; `none` where nothing was matched. */
export function matchingText({ domain, years, length, similarity }: Matching): string {
  const parts: string[] = [];
  if (domain !== undefined)
    parts.push(domain.same === domain.all ? 'domain' : `domain (${domain.same} of ${domain.all} candidates)`);
  if (years !== undefined)
    parts.push(
      oneDecimal(years.most) === 0
        ? 'period: same'
        : `period ±${oneDecimal(years.most)} years (median ${oneDecimal(years.median)})`,
    );
  if (length !== undefined)
    parts.push(`length ±${percent(length.most)} % (median ${percent(length.median)})`);
  if (similarity !== undefined)
    parts.push(
      `most similar words (cosine at least ${similarity.least.toFixed(2)}, median ${similarity.median.toFixed(2)})`,
    );
  return parts.length === 0 ? 'none' : parts.join(', ');
}

const oneDecimal = (value: number) => Math.round(value * 10) / 10;

const percent = (share: number) => Math.ceil(share * 100);
