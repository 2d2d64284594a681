/** @file Lowers expressions to the bytes of one ONNX model. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { Device } from '../../base/device.ts';
import { GraphError } from '../../base/errors.ts';
import { aliasedValue, nodesInOrder, type OpName, type TensorType, type Value } from '../ops/value.ts';
import { createEmitter, type ExternalTensor, MICROSOFT } from './emit.ts';
import { type LoweringRule, loweringRules, onnxTypes } from './lowering-rules.ts';
import { ModelProtoSchema, type ValueInfoProto, ValueInfoProtoSchema } from './onnx_pb.ts';
import { verify } from './verify.ts';

/** A compiled graph: what a session is made of. */
export interface Program {
  /** A serialized ONNX ModelProto; frozen weights are references into files. */
  readonly bytes: Uint8Array;
  /** What it was lowered for, and runs on. */
  readonly device: Device;
  readonly inputs: ReadonlyMap<string, TensorType>;
  readonly outputs: ReadonlyMap<string, TensorType>;
}

// ONNX operator set and format that onnxruntime 1.30 knows, and every operator above is in.
const OPSET = 21n;
const MICROSOFT_OPSET = 1n;
const IR_VERSION = 10n;

/**
 * The first output of every graph, an empty sequence: onnxruntime-node converts outputs in their order and ends with an
 * error at the first that is no tensor. A session asks for it to keep the binding from copying what was written in place.
 */
export const NO_COPIES = 'no copies';

/**
 * One ONNX model that computes `outputs` by name.
 * @param weights where each frozen weight lies, by the name it was built with
 * @param device what the graph will run on
 * @throws {GraphError} when names clash, a weight has no place, or a symbol no input
 */
export function compile(
  outputs: Readonly<Record<string, Value>>,
  weights: ReadonlyMap<string, ExternalTensor> = new Map(),
  device: Device = 'cpu',
): Program {
  const roots = Object.values(outputs);
  verify(outputs);
  const names = new Map<Value, string>();
  const nodes = nodesInOrder(roots);
  const used = new Set([...roots, ...nodes.flatMap((node) => node.inputs)].map(aliasedValue));
  const emit = createEmitter(device, (value) => used.has(value));
  const inputs = new Map<string, TensorType>();

  for (const node of nodes) {
    if (node.op !== 'input') continue;
    const { name, shape, dtype } = node.attributes;
    inputs.set(name, { dtype, shape });
    shape.forEach((dim, axis) => {
      if (typeof dim === 'string' && !/[*+]/.test(dim)) emit.bind(dim, name, axis);
    });
  }
  // Results get the caller's names where they have a node of their own to carry them.
  const copies: [string, Value][] = [];
  for (const [name, value] of Object.entries(outputs)) {
    const source = aliasedValue(value);
    if (source.node.inputs.length === 0 || names.has(source)) copies.push([name, source]);
    else names.set(source, name);
  }
  const nameOf = (value: Value): string => {
    const source = aliasedValue(value);
    const known = names.get(source);
    if (known !== undefined) return known;
    const name = emit.fresh();
    names.set(source, name);
    return name;
  };

  for (const node of nodes) {
    const [value] = node.outputs as [Value];
    if (aliasedValue(value) !== value) continue;
    if (node.op === 'input') {
      names.set(value, node.attributes.name);
    } else if (node.op === 'weight') {
      const { name } = node.attributes;
      const where = weights.get(name);
      if (where === undefined)
        throw new GraphError(`weight ${name}: no file holds it`, { code: 'graph/missing-weight' });
      emit.external(name, onnxTypes[value.dtype], value.shape as number[], where);
      names.set(value, name);
    } else if (node.op === 'constant') {
      const { data } = node.attributes;
      if (!(data instanceof Float32Array)) {
        const isBytes = data instanceof Uint8Array;
        const shape = value.shape as number[];
        const held = isBytes
          ? emit.bytes(onnxTypes[value.dtype], data, shape)
          : emit.integers([...data].map(Number));
        names.set(value, held);
        continue;
      }
      const key = data.length === 1 ? `float ${data[0]} ${value.shape.length}` : undefined;
      const make = () => emit.floats(data, value.shape as number[]);
      names.set(value, key === undefined ? make() : emit.shared(key, make));
    } else {
      const rule = loweringRules[node.op] as LoweringRule<OpName>;
      rule(emit, node, node.inputs.map(nameOf), node.outputs.map(nameOf));
    }
  }
  for (const [name, value] of copies) emit.node('Identity', [nameOf(value)], [name]);
  emit.node('SequenceEmpty', [], [NO_COPIES]);

  const outputTypes = new Map(
    Object.entries(outputs).map(([name, { dtype, shape }]) => [name, { dtype, shape }]),
  );
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: 'nextquill',
    opsetImport: [
      { domain: '', version: OPSET },
      { domain: MICROSOFT, version: MICROSOFT_OPSET },
    ],
    graph: {
      name: 'nextquill',
      node: emit.nodes,
      initializer: emit.initializers,
      input: [...inputs].map(([name, type]) => valueInfo(name, type)),
      output: [emptySequence(), ...[...outputTypes].map(([name, type]) => valueInfo(name, type))],
    },
  });
  return { bytes: toBinary(ModelProtoSchema, model), device, inputs, outputs: outputTypes };
}

function emptySequence(): ValueInfoProto {
  const elemType = { value: { case: 'tensorType' as const, value: { elemType: onnxTypes.f32 } } };
  return create(ValueInfoProtoSchema, {
    name: NO_COPIES,
    type: { value: { case: 'sequenceType', value: { elemType } } },
  });
}

function valueInfo(name: string, type: TensorType): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType: onnxTypes[type.dtype],
          shape: {
            dim: type.shape.map((dim) =>
              typeof dim === 'number'
                ? { value: { case: 'dimValue' as const, value: BigInt(dim) } }
                : { value: { case: 'dimParam' as const, value: dim } },
            ),
          },
        },
      },
    },
  });
}
