/** @file Scaled rotary embeddings from GGUF: Llama 3's factors are recognised, others are refused by name. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blockFormat } from '../../../src/engine/gguf/block-formats.ts';
import type { GgufFile } from '../../../src/engine/gguf/gguf-file.ts';
import type { GgufValue } from '../../../src/engine/gguf/header.ts';
import { modelConfig } from '../../../src/engine/gguf/model-config.ts';

const golden = JSON.parse(
  readFileSync(join(resolve(import.meta.dirname, '../../golden'), 'gguf.json'), 'utf8'),
) as { ropeFactors: { factor: number; headSize: number; theta: number; factors: number[] }[] };

function file(headSize: number, metadata: Readonly<Record<string, GgufValue>> = {}): GgufFile {
  const embedding = {
    name: 'token_embd.weight',
    format: blockFormat(0)!,
    shape: [10, 4 * headSize],
    byteOffset: 0,
    byteLength: 160 * headSize,
    file: 'm.gguf',
  };
  return {
    path: 'm.gguf',
    files: ['m.gguf'],
    tensors: new Map([[embedding.name, embedding]]),
    metadata: new Map(
      Object.entries({
        'general.architecture': 'llama',
        'llama.block_count': 1,
        'llama.context_length': 131072,
        'llama.embedding_length': 4 * headSize,
        'llama.feed_forward_length': 8,
        'llama.attention.head_count': 4,
        'llama.attention.layer_norm_rms_epsilon': 1e-5,
        ...metadata,
      }),
    ),
  };
}

describe('scaled rotary embeddings of a GGUF file', () => {
  it.each(golden.ropeFactors)('factor $factor: Llama 3’s factors give back its scaling', (made) => {
    const given = file(made.headSize, { 'llama.rope.freq_base': made.theta });
    expect(modelConfig(given, Float32Array.from(made.factors))).toMatchObject({
      rope_theta: made.theta,
      rope_scaling: {
        rope_type: 'llama3',
        factor: made.factor,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 8192,
      },
    });
  });

  it('factors of another rule are refused', () => {
    const { factors, headSize, theta } = golden.ropeFactors[0]!;
    const changed = Float32Array.from(factors, (factor, i) => (i === 30 ? factor * 1.01 : factor));
    expect(() => modelConfig(file(headSize, { 'llama.rope.freq_base': theta }), changed)).toThrow(
      /m\.gguf: tensor "rope_freqs\.weight": .*another rule/,
    );
  });

  it('linear and yarn scaling are said in config.json; none where there is none', () => {
    expect(modelConfig(file(8))).not.toHaveProperty('rope_scaling');
    expect(
      modelConfig(file(8, { 'llama.rope.scaling.type': 'linear', 'llama.rope.scaling.factor': 4 })),
    ).toMatchObject({ rope_scaling: { rope_type: 'linear', factor: 4 } });
    expect(
      modelConfig(
        file(8, {
          'llama.rope.scaling.type': 'yarn',
          'llama.rope.scaling.factor': 2,
          'llama.rope.scaling.original_context_length': 4096,
        }),
      ),
    ).toMatchObject({
      rope_scaling: { rope_type: 'yarn', factor: 2, original_max_position_embeddings: 4096 },
    });
  });
});
