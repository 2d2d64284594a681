/** @file The decoders of tokenizer.json: token strings to text, by the library where it does what Python's does. */
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { patternOf } from './patterns.ts';
import { type DecoderJson, partsOf, type TokenizerJson, unsupported } from './tokenizer-json.ts';

/** Token strings, in order, to text. */
export type Decoder = (tokens: readonly string[]) => string;

interface LibraryDecoder {
  readonly config: DecoderJson;
  readonly decoders?: readonly LibraryDecoder[];
  decode(tokens: readonly string[]): string;
}

/**
 * The decoder that a tokenizer.json asks for. Without one, tokens are put together with spaces, as in Python's.
 * @throws {WeightsError} naming a type or value that is not supported
 */
export function decoderOf({ decoder: config, added_tokens }: TokenizerJson): Decoder {
  if (config === null) return (tokens) => tokens.join(' ');
  checkDecoder(config);
  const { decoder } = new LibraryTokenizer(
    {
      added_tokens,
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: config,
      model: { type: 'BPE', vocab: {}, merges: [] },
    } as object,
    {},
  ) as unknown as { decoder: LibraryDecoder };
  decodeAsPythonDoes(decoder);
  return (tokens) => decoder.decode(tokens);
}

function checkDecoder(config: DecoderJson): void {
  const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;
  switch (config.type) {
    case 'Sequence':
      for (const inner of partsOf<DecoderJson>('decoder.decoders', config.decoders)) checkDecoder(inner);
      return;
    case 'ByteLevel':
    case 'ByteFallback':
    case 'Fuse':
      return;
    case 'Replace':
      patternOf('decoder.pattern', config.pattern);
      if (typeof config.content !== 'string') throw unsupported('decoder.content', 'a text', config.content);
      return;
    case 'Strip':
      if (typeof config.content !== 'string' || !isCount(config.start) || !isCount(config.stop))
        throw unsupported('decoder', 'Strip with content, start and stop', config);
      return;
    case 'Metaspace':
      if (config.replacement !== undefined && typeof config.replacement !== 'string')
        throw unsupported('decoder.replacement', 'a character', config.replacement);
      return;
  }
  throw unsupported(
    'decoder',
    'Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip or Metaspace',
    config.type,
  );
}

/**
 * What Python's decoders do otherwise. ByteFallback keeps a byte-order mark, and writes one U+FFFD for each byte of a run
 * that is not UTF-8; Metaspace leaves out every `▁` of the first token.
 */
function decodeAsPythonDoes(decoder: LibraryDecoder): void {
  for (const inner of decoder.decoders ?? []) decodeAsPythonDoes(inner);
  const { type, replacement = '▁', prepend_scheme: scheme } = decoder.config;
  if (type === 'ByteFallback') Object.assign(decoder, { text_decoder: { decode: decodeBytes } });
  if (type === 'Metaspace')
    Object.assign(decoder, {
      decode_chain: (tokens: readonly string[]) =>
        tokens.map((token, i) =>
          token.replaceAll(replacement as string, i === 0 && scheme !== 'never' ? '' : ' '),
        ),
    });
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeBytes(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return '\ufffd'.repeat(bytes.length);
  }
}
