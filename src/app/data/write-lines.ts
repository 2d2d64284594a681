/** @file Lines as they come, written in pieces: whole or not at all. */
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { writeAll, writeFileAtomically } from '../../base/atomic-file.ts';

/** Lines gathered to pieces that are worth a write. */
const PIECE = 1 << 18;

async function* pieces(lines: AsyncIterable<string>): AsyncGenerator<Buffer> {
  let gathered: string[] = [];
  let length = 0;
  for await (const line of lines) {
    gathered.push(line);
    length += line.length;
    if (length < PIECE) continue;
    yield Buffer.from(gathered.join(''));
    gathered = [];
    length = 0;
  }
  if (gathered.length > 0) yield Buffer.from(gathered.join(''));
}

/** Writes lines, each with its line end, as a file that is whole or absent; gzipped when its name ends in `.gz`. */
export async function writeLines(path: string, lines: AsyncIterable<string>): Promise<void> {
  await writeFileAtomically(path, async (file) => {
    if (!path.endsWith('.gz')) {
      for await (const piece of pieces(lines)) await writeAll(file, piece);
      return;
    }
    const source = Readable.from(pieces(lines));
    const zipped = createGzip();
    source.on('error', (error) => zipped.destroy(error));
    for await (const chunk of source.pipe(zipped) as AsyncIterable<Buffer>) await writeAll(file, chunk);
  });
}
