/** @file Tests of plain text from texts of the web. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanText } from '../../../src/method/corpus/clean-text.ts';

describe('cleanText', () => {
  it.each([
    ['Tom &amp; Jerry&#39;s &quot;caf&eacute;&quot; &#x1F600; &hellip;', 'Tom & Jerry\'s "café" 😀 …'],
    ['one<br />two<BR>three', 'one\ntwo\nthree'],
    ['<p>one</p><p class="x">two</p>', 'one\n\ntwo'],
    ['a <b>bold</b> <a href="x?a=1&b=2">link</a>', 'a bold link'],
    ['<script>alert(1)</script>text<!-- hidden -->', 'text'],
    ['I <3 it, a < b and b > c; <grin>', 'I <3 it, a < b and b > c; <grin>'],
    ['AT&T &unknown; &#0; &#xD800;', 'AT&T &unknown;'],
    ['\u0007bell\r\nline\r \t two  spaces\n\n\n\nend ', 'bell\nline\ntwo spaces\n\nend'],
    ['half \ud83d of a pair', 'half of a pair'],
    ['&amp;lt;', '&lt;'],
  ])('turns %j into %j', (text, plain) => {
    expect(cleanText(text)).toBe(plain);
  });

  it('leaves tags and entities where they are wanted', () => {
    expect(cleanText('a &amp;  <b>b</b>', { html: false })).toBe('a &amp; <b>b</b>');
  });

  it('changes plain text no second time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const once = cleanText(text, { html: false });
        expect(cleanText(once, { html: false })).toBe(once);
      }),
    );
  });
});
