/** @file Collects the parts of one ONNX graph: nodes, initializers, and shape arithmetic for symbolic dimensions. */
import { create } from '@bufbuild/protobuf';
import type { Device } from '../../base/device.ts';
import { GraphError } from '../../base/errors.ts';
import { type Dim, termsOf } from '../ops/dimension.ts';
import type { Value } from '../ops/value.ts';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from './onnx_pb.ts';

export const MICROSOFT = 'com.microsoft';

export type AttributeValue =
  | number
  | readonly number[]
  | { readonly int: number }
  | { readonly text: string };

/** Where a mapped tensor lies: a file name relative to the session's folder, and bytes in it. */
export interface ExternalTensor {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** Receives the nodes of a graph in execution order. */
export interface Emitter {
  /** What the graph will run on: providers differ in what their operators compute. */
  readonly device: Device;
  /** Whether another node, or the caller, reads a value. */
  isUsed(value: Value): boolean;
  readonly nodes: NodeProto[];
  readonly initializers: TensorProto[];
  /** A new name, unique in the graph. */
  fresh(): string;
  /** Appends a node. Numbers become float attributes, `{ int }` and arrays integer ones, `{ text }` strings. */
  node(
    type: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes?: Readonly<Record<string, AttributeValue>>,
    domain?: string,
  ): void;
  /** Appends a node with one output of a fresh name, and returns the name. */
  call(
    type: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, AttributeValue>>,
    domain?: string,
  ): string;
  /** An i64[n] initializer, shared between equal uses. */
  integers(values: readonly number[]): string;
  floats(data: Float32Array, shape: readonly number[], name?: string): string;
  /** An initializer of raw bytes. */
  bytes(type: DataType, data: Uint8Array, shape: readonly number[]): string;
  external(name: string, type: DataType, shape: readonly number[], where: ExternalTensor): void;
  /** The i64[rank] tensor of a shape whose dimensions are known only at a run. */
  shape(dims: readonly Dim[]): string;
  /** Declares that `symbol` is the size of `axis` of the graph input `name`. */
  bind(symbol: string, name: string, axis: number): void;
  /** `make()` once for each key. */
  shared(key: string, make: () => string): string;
}

export function createEmitter(device: Device = 'cpu', isUsed: Emitter['isUsed'] = () => true): Emitter {
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const symbols = new Map<string, { name: string; axis: number }>();
  const cache = new Map<string, string>();
  let count = 0;

  const fresh = () => `v${count++}`;
  const shared = (key: string, make: () => string) => {
    const known = cache.get(key);
    if (known !== undefined) return known;
    const made = make();
    cache.set(key, made);
    return made;
  };
  const node: Emitter['node'] = (type, inputs, outputs, attributes = {}, domain = '') => {
    nodes.push(
      create(NodeProtoSchema, {
        opType: type,
        domain,
        name: `n${nodes.length}`,
        input: [...inputs],
        output: [...outputs],
        attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      }),
    );
  };
  const call: Emitter['call'] = (type, inputs, attributes, domain) => {
    const output = fresh();
    node(type, inputs, [output], attributes, domain);
    return output;
  };
  const integers = (values: readonly number[]) =>
    shared(`integers ${values.join()}`, () => {
      const name = fresh();
      const data = BigInt64Array.from(values, BigInt);
      initializers.push(
        create(TensorProtoSchema, {
          name,
          dataType: DataType.INT64,
          dims: [BigInt(values.length)],
          rawData: new Uint8Array(data.buffer),
        }),
      );
      return name;
    });
  const floats: Emitter['floats'] = (data, shape, name = fresh()) => {
    initializers.push(
      create(TensorProtoSchema, {
        name,
        dataType: DataType.FLOAT,
        dims: shape.map(BigInt),
        rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      }),
    );
    return name;
  };

  // i64[1] holding one dimension.
  const dimension = (dim: Dim): string => {
    if (typeof dim === 'number') return integers([dim]);
    return shared(`dimension ${dim}`, () =>
      termsOf(dim)
        .map(({ coefficient, symbols: factors }) => {
          const sizes = factors.map((symbol) => shared(`symbol ${symbol}`, () => sizeOfSymbol(symbol)));
          if (coefficient !== 1 || sizes.length === 0) sizes.push(integers([coefficient]));
          return sizes.reduce((a, b) => call('Mul', [a, b]));
        })
        .reduce((a, b) => call('Add', [a, b])),
    );
  };
  const sizeOfSymbol = (symbol: string): string => {
    const source = symbols.get(symbol);
    if (source === undefined)
      throw new GraphError(`dimension ${symbol}: no input of the graph has it as an axis`, {
        code: 'graph/unbound-symbol',
        hint: `Give the graph an input with ${symbol} as one whole axis.`,
      });
    return call('Shape', [source.name], { start: { int: source.axis }, end: { int: source.axis + 1 } });
  };

  return {
    device,
    isUsed,
    nodes,
    initializers,
    fresh,
    node,
    call,
    integers,
    floats,
    shared,
    bytes: (dataType, rawData, shape) => {
      const name = fresh();
      initializers.push(create(TensorProtoSchema, { name, dataType, dims: shape.map(BigInt), rawData }));
      return name;
    },
    external: (name, dataType, shape, where) => {
      initializers.push(
        create(TensorProtoSchema, {
          name,
          dataType,
          dims: shape.map(BigInt),
          dataLocation: DataLocation.EXTERNAL,
          externalData: Object.entries(where).map(([key, value]) => ({ key, value: String(value) })),
        }),
      );
    },
    shape: (dims) => {
      if (dims.every((dim) => typeof dim === 'number')) return integers(dims as number[]);
      return shared(`shape ${dims.join()}`, () => {
        const parts = dims.map(dimension);
        return parts.length === 1 ? parts[0]! : call('Concat', parts, { axis: { int: 0 } });
      });
    },
    bind: (symbol, name, axis) => {
      if (!symbols.has(symbol)) symbols.set(symbol, { name, axis });
    },
  };
}

function attribute(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'number')
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value });
  if ('text' in value)
    return create(AttributeProtoSchema, {
      name,
      type: AttributeType.STRING,
      s: new TextEncoder().encode(value.text),
    });
  if ('int' in value)
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value.int) });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
}
