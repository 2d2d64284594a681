/** @file The space that some tokenizers put before a text, and the `▁` that they write for spaces, with places kept. */
import type { PreTokenizerJson } from './tokenizer-json.ts';
import { replaceTracked, type TrackedText } from './tracked-text.ts';

/**
 * What the pre-tokenizer does to the text itself: ByteLevel's prefix space, Metaspace's `▁`.
 * @returns a function of a stretch between added tokens, and whether it begins the text; an inserted prefix spans nothing
 */
export function prefixer(
  config: PreTokenizerJson | null,
): (tracked: TrackedText, isFirst: boolean) => TrackedText {
  const first = config?.type === 'Sequence' ? config.pretokenizers?.[0] : config;
  if (first?.type === 'ByteLevel' && first.add_prefix_space)
    return (tracked) => (tracked.text.startsWith(' ') ? tracked : insertFirst(tracked, ' '));
  if (first?.type === 'Metaspace') {
    const replacement = first.replacement ?? '▁';
    // Older files say add_prefix_space, newer ones prepend_scheme.
    const scheme = first.prepend_scheme ?? (first.add_prefix_space === false ? 'never' : 'always');
    return (tracked, isFirst) => {
      const spaces = [...tracked.text.matchAll(/ /g)].map(({ index }) => ({
        from: index,
        to: index + 1,
        text: replacement,
      }));
      const replaced = replaceTracked(tracked, spaces);
      const wantsPrefix = scheme === 'always' || (scheme === 'first' && isFirst);
      return wantsPrefix && !replaced.text.startsWith(replacement)
        ? insertFirst(replaced, replacement)
        : replaced;
    };
  }
  return (tracked) => tracked;
}

const insertFirst = (tracked: TrackedText, text: string) =>
  replaceTracked(tracked, [{ from: 0, to: 0, text }]);
