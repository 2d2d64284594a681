/** @file Files of embeddings in each format give one retrieval; every row that is none is refused by its place. */
import { writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { readEmbeddings } from '../../../src/app/files/embedding-file.ts';
import { sha256 } from '../../../src/base/hash.ts';
import { writeSafetensors } from '../../../src/engine/weights/safetensors.ts';
import type { Example } from '../../../src/method/data/example.ts';
import { itemChooser } from '../../../src/method/retrieval/choose.ts';
import { withGivenEmbeddings } from '../../../src/method/scoring/given-embeddings.ts';

const folder = await mkdtemp(join(tmpdir(), 'nextquill-embeddings-'));
const file = (name: string, rows: readonly unknown[]) => {
  const path = join(folder, name);
  writeFileSync(path, `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
  return path;
};

const item = (id: string, query: string, text: string) => ({ id, query, text });
const example: Example = {
  id: 'e1',
  user: 'u1',
  query: 'A kettle',
  response: 'Boils.',
  history: [item('h1', 'A pot', 'Heavy.'), item('h2', '', 'Late again.'), item('h3', 'A lamp', 'Dim.')],
};
const vectors = { e1: [1, 0], h1: [0.9, 0.1], h2: [-1, 0], h3: [0, 1] };
const texts = { e1: 'A kettle', h1: 'A pot Heavy.', h2: 'Late again.', h3: 'A lamp Dim.' };
const ids = Object.keys(vectors) as (keyof typeof vectors)[];
const rows = {
  text: ids.map((id) => ({ text: texts[id], embedding: vectors[id] })),
  hash: ids.map((id) => ({ hash: sha256(texts[id]), embedding: vectors[id] })),
  id: ids.map((id) => ({ id, embedding: vectors[id] })),
};

async function shown(path: string): Promise<string[]> {
  const { embeddings, source } = await readEmbeddings(path);
  const [found] = withGivenEmbeddings([example], embeddings, source);
  return itemChooser(found!, 'dense')(found!.history, 2).map(({ id }) => id);
}

describe('a file of embeddings', () => {
  it.each(['text', 'hash', 'id'] as const)('in JSON lines by %s finds the nearest items', async (key) => {
    expect(await shown(file(`by-${key}.jsonl`, rows[key]))).toEqual(['h1', 'h3']);
  });

  it('in Parquet and safetensors is the same', async () => {
    const parquet = join(folder, 'embeddings.parquet');
    const columnData = [
      { name: 'id', data: ids, type: 'STRING' as const },
      { name: 'embedding', data: ids.map((id) => vectors[id]), type: 'JSON' as const },
    ];
    writeFileSync(parquet, Buffer.from(parquetWriteBuffer({ columnData })));
    expect(await shown(parquet)).toEqual(['h1', 'h3']);
    const tensors = join(folder, 'embeddings.safetensors');
    await writeSafetensors(
      tensors,
      ids.map((id, i) => ({
        name: i % 2 === 0 ? id : sha256(texts[id]),
        dtype: 'F16' as const,
        shape: [2],
        data: Float32Array.from(vectors[id]),
      })),
    );
    expect(await shown(tensors)).toEqual(['h1', 'h3']);
  });

  it.each([
    ['embeddings/missing', rows.id.slice(0, 3)],
    ['embeddings/length', [...rows.id, { id: 'x', embedding: [1, 2, 3] }]],
    ['embeddings/twice', [...rows.id, { id: 'h1', embedding: [5, 5] }]],
    ['embeddings/key', [{ id: 'e1', text: 'A kettle', embedding: [1, 0] }]],
  ])('is refused: %s', async (code, bad) => {
    await expect(shown(file('bad.jsonl', bad))).rejects.toMatchObject({ code });
  });

  it('is refused where an id stands for two texts, and where a number is none', async () => {
    const other = { ...example, id: 'e2', history: [item('h1', '', 'Another text.')] };
    const { embeddings, source } = await readEmbeddings(
      file('ids.jsonl', [...rows.id, { id: 'e2', embedding: [1, 1] }]),
    );
    expect(() => withGivenEmbeddings([example, other], embeddings, source)).toThrow(
      expect.objectContaining({ code: 'embeddings/ambiguous-id' }),
    );
    // The same text under another id is found by its text.
    const byText = await readEmbeddings(file('texts.jsonl', rows.text));
    const renamed = { ...example, history: example.history.map((each) => ({ ...each, id: `${each.id}-b` })) };
    expect(
      withGivenEmbeddings([renamed], byText.embeddings, 'texts')[0]!.history[0]!.embedding![0],
    ).toBeCloseTo(0.9, 6);
    const path = join(folder, 'nan.safetensors');
    await writeSafetensors(path, [
      { name: 'e1', dtype: 'F32', shape: [2], data: Float32Array.of(1, Number.NaN) },
    ]);
    await expect(shown(path)).rejects.toMatchObject({ code: 'embeddings/number' });
    await expect(readEmbeddings(join(folder, 'embeddings.npy'))).rejects.toMatchObject({
      code: 'usage/embeddings',
    });
    await expect(readEmbeddings(file('row.jsonl', [{ id: 'e1', embedding: '1,0' }]))).rejects.toThrow(
      'row.jsonl:1',
    );
  });
});
