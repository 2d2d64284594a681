/** @file Which linear layers an adapter's target modules name, and the shapes of its matrices. */
import { ConfigError, nearestName } from '../../base/errors.ts';
import type { Model } from '../models/model.ts';
import { type LoraOptions, loraName } from '../models/parameters.ts';
import { layerOf, type ModelParameter, type ParameterShape } from '../weights/model-parameter.ts';

/** A linear layer that an adapter changes. */
export interface AdaptedLayer {
  /** Name without `.weight`. */
  readonly name: string;
  readonly out: number;
  readonly inputs: number;
  /** Whether its matrix is stored as f32[in, out]. */
  readonly transposed: boolean;
}

type Shapes = Pick<Model, 'parameters'>;

/** Last parts of the names of layers that can be adapted: linear ones, not tables of embeddings, which may be the head too. */
export function adaptableModules({ parameters }: Shapes): string[] {
  return [...new Set(parameters.filter(isLinear).map(({ name }) => lastPart(layerOf(name))))];
}

/** The adaptable layers inside the blocks, without the head: what an adapter changes when nobody names layers. */
export function blockModules(model: Shapes): string[] {
  return adaptableModules(model).filter((name) => name !== 'lm_head');
}

/** All layers that an adapter can change, in the model's order. */
export function adaptableLayers({ parameters }: Shapes): AdaptedLayer[] {
  return parameters.filter(isLinear).map(({ name, shape, role }) => {
    const transposed = role === 'transposed';
    const [out, inputs] = transposed ? [shape[1]!, shape[0]!] : [shape[0]!, shape[1]!];
    return { name: layerOf(name), out, inputs, transposed };
  });
}

const isLinear = ({ role }: ModelParameter) => role === 'linear' || role === 'transposed';

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
        hint:
          unknown === 'lm_head'
            ? 'Leave lm_head out: the head of this model is its embedding table.'
            : near === undefined
              ? 'Name linear layers of the model.'
              : `Did you mean ${near}?`,
      },
    );
  }
  return adaptableLayers(model).filter(({ name }) => targetModules.includes(lastPart(name)));
}

/** Names (PEFT's) and shapes of an adapter's matrices: A [rank, inputs] and B [out, rank] of each layer. */
export function adapterShapes(model: Shapes, lora: LoraOptions): ParameterShape[] {
  return adaptedLayers(model, lora).flatMap((layer) => matrixShapes(layer, lora.rank));
}

/** A and B of one layer. */
export const matrixShapes = ({ name, out, inputs }: AdaptedLayer, rank: number): ParameterShape[] => [
  { name: loraName(name, 'A'), shape: [rank, inputs] },
  { name: loraName(name, 'B'), shape: [out, rank] },
];

/** The part of a layer's name that says what it does, such as `q_proj`. */
export const lastPart = (layer: string) => layer.split('.').at(-1)!;
