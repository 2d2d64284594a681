/** @file Lowers expressions to the bytes of one ONNX model. */
import { create, toBinary } from '@bufbuild/protobuf';
import { runAtOnce } from '../../base/breathe.ts';
import type { Device } from '../../base/device.ts';
import { GraphError } from '../../base/errors.ts';
import { executionOrder } from '../memory/liveness.ts';
import {
  aliasedValue,
  type Node,
  nodesInOrder,
  type OpName,
  type TensorType,
  type Value,
} from '../ops/value.ts';
import { createEmitter, type Emitter, type ExternalTensor, MICROSOFT } from './emit.ts';
import { type LoweringRule, loweringRules, onnxTypes } from './lowering-rules.ts';
import {
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb.ts';
import { inSections, type NodeGroup } from './sections.ts';
import { verify } from './verify.ts';

/** A compiled graph: what a session is made of. */
export interface Program {
  /** A serialized ONNX ModelProto; frozen weights are references into files. */
  readonly bytes: Uint8Array;
  /** What it was lowered for, and runs on. */
  readonly device: Device;
  /** Whether ONNX Runtime must pack frozen weights when a session opens: else it computes integer products in f32. */
  readonly isPacked: boolean;
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

/** Graphs of fewer operators open in seconds as they are, and need no memory for sections. */
const LEAST_OPERATORS = 4000;

/** Nodes of a section: smaller ones cost more memory each, larger ones more time to plan, and hold longer what they read (measured). */
const SECTION_NODES = 200;

/** Nodes that are serialised at once. */
const NODES_OF_PIECE = 200;

/** From this width on a value is large enough to be freed as soon as it can be: that of a vocabulary. */
const WIDE = 8192;

/**
 * One ONNX model that computes `outputs` by name.
 * @param weights where each frozen weight lies, by the name it was built with
 * @param device what the graph will run on
 * @param sectionsFrom operators from which on the graph stands in sections: see sections.ts
 * @throws {GraphError} when names clash, a weight has no place, or a symbol no input
 */
export function compile(
  outputs: Readonly<Record<string, Value>>,
  weights?: ReadonlyMap<string, ExternalTensor>,
  device?: Device,
  sectionsFrom?: number,
): Program {
  return runAtOnce(compiling(outputs, weights, device, sectionsFrom));
}

/** The same in pieces, between which a process may hear others: a large graph takes a second or more. */
export function* compiling(
  outputs: Readonly<Record<string, Value>>,
  weights: ReadonlyMap<string, ExternalTensor> = new Map(),
  device: Device = 'cpu',
  sectionsFrom = LEAST_OPERATORS,
): Generator<void, Program> {
  const roots = Object.values(outputs);
  yield* verify(outputs);
  const names = new Map<Value, string>();
  const built = nodesInOrder(roots);
  // A cache is written in place, which a section would have to pass on; other devices have planners of their own.
  const isSectioned =
    device === 'cpu' && built.length >= sectionsFrom && built.every(({ op }) => op !== 'cachedAttention');
  const nodes = isSectioned ? executionOrder(roots.map(aliasedValue)) : built;
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

  const starts: { readonly at: number; readonly isOutside: boolean }[] = [];
  for (const node of nodes) {
    yield;
    starts.push({ at: emit.nodes.length, isOutside: isWide(node) });
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
  const condition = isSectioned ? alwaysTrue(emit, inputs) : undefined;
  if (condition !== undefined) {
    const given = [...Object.keys(outputs), ...copies.map(([, value]) => nameOf(value))];
    const types = new Map([...names].map(([value, name]) => [name, onnxTypes[value.dtype]]));
    const groups = starts.map(({ at, isOutside }, i): NodeGroup => {
      return { nodes: emit.nodes.slice(at, starts[i + 1]?.at ?? condition.at), isOutside };
    });
    const sections = inSections(groups, {
      size: SECTION_NODES,
      results: new Set(given),
      condition: condition.name,
      // What rules share beside values are sizes.
      typeOf: (name) => types.get(name) ?? onnxTypes.i64,
      anyOf: (type) => emit.shared(`any ${type}`, () => emit.bytes(type, new Uint8Array(WIDTHS[type]!), [1])),
    });
    emit.nodes.splice(0, condition.at);
    emit.nodes.push(...sections);
    yield;
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
      initializer: emit.initializers,
      input: [...inputs].map(([name, type]) => valueInfo(name, type)),
      output: [emptySequence(), ...[...outputTypes].map(([name, type]) => valueInfo(name, type))],
    },
  });
  const bytes = yield* serialised(model, emit.nodes, isSectioned ? 1 : NODES_OF_PIECE);
  const isPacked = nodes.some(
    ({ op, attributes }) => op === 'quantisedProduct' && attributes.products === 'int8',
  );
  return { bytes, device, isPacked, inputs, outputs: outputTypes };
}

/** A model with these nodes in pieces, one behind the other: messages that stand so are read as one, and their lists as one list. */
function* serialised(
  model: ModelProto,
  nodes: readonly NodeProto[],
  atOnce: number,
): Generator<void, Uint8Array> {
  const pieces = [toBinary(ModelProtoSchema, model)];
  for (let start = 0; start < nodes.length; start += atOnce) {
    yield;
    const node = nodes.slice(start, start + atOnce);
    pieces.push(toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph: { node } })));
  }
  return Buffer.concat(pieces);
}

/** Bytes of one element. */
const WIDTHS: Readonly<Record<number, number>> = {
  [onnxTypes.f32]: 4,
  [onnxTypes.i64]: 8,
  [onnxTypes.bool]: 1,
};

/** Whether a node makes or reads values as wide as a vocabulary; weights are not counted. */
const isWide = (node: Node): boolean =>
  [...node.inputs, ...node.outputs].some(
    ({ shape, node: { op } }) =>
      op !== 'weight' && shape.some((size) => typeof size === 'number' && size >= WIDE),
  );

/**
 * A bool that is true at every run, computed from a size that is known only there.
 * @returns its name and the place of its first node; undefined where all sizes are known
 */
function alwaysTrue(
  emit: Emitter,
  inputs: ReadonlyMap<string, TensorType>,
): { readonly name: string; readonly at: number } | undefined {
  const at = emit.nodes.length;
  for (const [input, { shape }] of inputs) {
    const axis = shape.findIndex((size) => typeof size === 'string');
    if (axis < 0) continue;
    const size = emit.call('Shape', [input], { start: { int: axis }, end: { int: axis + 1 } });
    return { name: emit.call('Less', [emit.integers([-1]), size]), at };
  }
  return undefined;
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
