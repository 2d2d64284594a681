/** @file The query of a product review, one wording for all data sets of reviews: item, description, rating, title. */
import { firstWords } from './first-words.ts';

/** What is known of a review before it is written; absent where a data set lacks it. */
export interface ReviewOf {
  readonly item?: string | undefined;
  readonly description?: string | undefined;
  readonly rating?: string | undefined;
  /** Title of the review itself. */
  readonly title?: string | undefined;
}

/** Characters of a description that are kept. */
const DESCRIPTION = 600;

export function reviewQuery({ item, description, rating, title }: ReviewOf): string {
  const known = (text: string | undefined): text is string => text !== undefined && text.trim() !== '';
  return [
    known(item) ? `Write a review of "${item.trim()}".` : 'Write a review.',
    ...(known(description) ? [`Description: ${firstWords(description.trim(), DESCRIPTION)}`] : []),
    ...(known(rating) ? [`Rating: ${rating} of 5`] : []),
    ...(known(title) ? [`Title of the review: "${title.trim()}"`] : []),
  ].join('\n');
}
