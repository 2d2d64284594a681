/**
 * @file LoRA adapters as llama.cpp loads them: a GGUF file with A and B of each layer beside the layer's GGUF name.
 * The layout is that of llama.cpp's convert_lora_to_gguf.py: `general.type` adapter, `adapter.type` lora,
 * `adapter.lora.alpha`, and for `llama` the rows of B interleaved like those of the query and key matrices.
 */
import { WeightsError } from '../../base/errors.ts';
import { interleaveHalves } from '../gguf/tensor-layout.ts';
import { ggufLayerName, interleavedHeads } from '../gguf/tensor-names.ts';
import { type GgufTensorToWrite, writeGguf } from '../gguf/write-gguf.ts';
import type { Model } from '../models/model.ts';
import { loraName, loraScaling } from '../models/parameters.ts';
import type { Adapter } from './adapter.ts';
import { adaptedLayers } from './layers.ts';

/** GGUF's name of an architecture, by Hugging Face's model_type. */
const architectures: Readonly<Record<string, string>> = {
  llama: 'llama',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
  gemma3_text: 'gemma3',
  gpt2: 'gpt2',
};

/**
 * Writes an adapter for a GGUF file of the same base model, f32.
 * @param path of the new file
 * @throws {WeightsError} for an architecture or a layer that GGUF has no name for
 * @throws {EngineError} when the disk is full or the place cannot be written to
 */
export async function saveGgufAdapter(
  path: string,
  model: Pick<Model, 'config' | 'parameters'>,
  { lora, tensors }: Adapter,
): Promise<void> {
  const { config } = model;
  const { rank } = lora;
  const architecture = architectures[config.modelType];
  if (architecture === undefined)
    throw new WeightsError(
      `GGUF adapter: expected a model of ${Object.keys(architectures).join(', ')}, got ${config.modelType}`,
      { code: 'gguf/architecture', hint: 'Export merged weights instead.' },
    );
  const list: GgufTensorToWrite[] = [];
  for (const { name, out, inputs } of adaptedLayers(model, lora)) {
    const layer = ggufLayerName(architecture, name);
    if (layer === undefined)
      throw new WeightsError(`GGUF adapter: expected layers that ${architecture} has, got ${name}`, {
        code: 'gguf/layer',
        hint: 'Export merged weights instead.',
      });
    const a = tensors[loraName(name, 'A')]!.data;
    const b = tensors[loraName(name, 'B')]!.data;
    const heads = interleavedHeads(architecture, layer, config);
    list.push(
      { name: `${layer}.weight.lora_a`, shape: [rank, inputs], data: a },
      {
        name: `${layer}.weight.lora_b`,
        shape: [out, rank],
        data: heads === undefined ? b : interleaveHalves(b, out, heads),
      },
    );
  }
  const metadata = {
    'general.type': 'adapter',
    'general.architecture': architecture,
    'adapter.type': 'lora',
    // llama.cpp scales by alpha / rank; rank-stabilised scaling goes into alpha.
    'adapter.lora.alpha': loraScaling(lora) * rank,
  };
  await writeGguf(path, metadata, list);
}
