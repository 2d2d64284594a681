/** @file Which linear layers an adapter's target modules name, and the shapes of its matrices. */
import { ConfigError, nearestName } from '../../base/errors.ts';
import type { Model } from '../models/model.ts';
import { type LoraOptions, loraName, type ParameterShape } from '../models/parameters.ts';

/** A linear layer that an adapter changes. */
export interface AdaptedLayer {
  /** Name without `.weight`. */
  readonly name: string;
  readonly out: number;
  readonly inputs: number;
}

type Shapes = Pick<Model, 'parameters' | 'config'>;

/** Last parts of the names of layers that can be adapted: linear ones, not the embedding table. */
export function adaptableModules({ parameters, config }: Shapes): string[] {
  const names = parameters
    .filter(({ shape }) => shape.length === 2)
    .map(({ name }) => lastPart(layerOf(name)))
    .filter((name) => name !== 'embed_tokens' && !(config.tiedHead && name === 'lm_head'));
  return [...new Set(names)];
}

/**
 * The layers that `targetModules` names, in the model's order.
 * @throws {ConfigError} when a name stands for no linear layer of the model
 */
export function adaptedLayers(model: Shapes, { targetModules }: LoraOptions): AdaptedLayer[] {
  const known = adaptableModules(model);
  const unknown = targetModules.find((name) => !known.includes(name));
  if (unknown !== undefined || targetModules.length === 0) {
    const near = unknown === undefined ? undefined : nearestName(unknown, known);
    throw new ConfigError(
      `target modules: expected some of ${known.join(', ')}, got ${unknown === undefined ? 'none' : JSON.stringify(unknown)}`,
      {
        code: 'lora/target-modules',
        hint: near === undefined ? 'Name linear layers of the model.' : `Did you mean ${near}?`,
      },
    );
  }
  return model.parameters
    .filter(({ name, shape }) => shape.length === 2 && targetModules.includes(lastPart(layerOf(name))))
    .map(({ name, shape }) => ({ name: layerOf(name), out: shape[0]!, inputs: shape[1]! }));
}

/** Names (PEFT's) and shapes of an adapter's matrices: A [rank, inputs] and B [out, rank] of each layer. */
export function adapterShapes(model: Shapes, lora: LoraOptions): ParameterShape[] {
  return adaptedLayers(model, lora).flatMap(({ name, out, inputs }) => [
    { name: loraName(name, 'A'), shape: [lora.rank, inputs] },
    { name: loraName(name, 'B'), shape: [out, lora.rank] },
  ]);
}

const layerOf = (parameter: string) => parameter.replace(/\.weight$/, '');
const lastPart = (layer: string) => layer.split('.').at(-1)!;
