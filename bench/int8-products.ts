/**
 * @file What ONNX Runtime's ways to multiply by a frozen matrix of 4 or 8 bits give beside f32: rate and error of one product.
 *
 *     npx tsx bench/int8-products.ts [--shapes 576x1536,1536x576] [--rows 1,64,512] [--threads 1] [--rounds 5] [--ways 'f32;row']
 *
 * Weights and activations are normal numbers; one activation of `--outliers` per row is 30 times as large, as in language models.
 * Every product stands several times in its graph, each over a matrix of its own, so that few rows read memory and not caches.
 * Rates are 10⁹ additions and multiplications a second; errors are the root of the mean squared difference over that of the result.
 */
import { parseArgs } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import * as ort from 'onnxruntime-node';
import { randomStream } from '../src/base/random.ts';
import { mean } from '../src/base/statistics/mean.ts';
import { createEmitter, type Emitter, MICROSOFT } from '../src/engine/onnx/emit.ts';
import {
  TensorProto_DataType as DataType,
  ModelProtoSchema,
  ValueInfoProtoSchema,
} from '../src/engine/onnx/onnx_pb.ts';
import { type BaseBits, type QuantisedRows, quantiseRows } from '../src/engine/quantisation/blocks.ts';
import { markdownTable } from '../src/reports/text/markdown.ts';
import { commit, machine, median } from './report.ts';

/** A matrix f32[out, inputs]. */
interface Matrix {
  readonly out: number;
  readonly inputs: number;
  readonly values: Float32Array;
}

/** A way to multiply: what is kept of the matrix, and the nodes that multiply by it. */
interface Way {
  /** Whether ONNX Runtime may keep a packed copy of the matrix. */
  readonly packed: boolean;
  readonly product: (emit: Emitter, x: string, matrix: Matrix, output: string) => void;
}

const quantised = new Map<string, QuantisedRows>();
function rowsOf({ values }: Matrix, size: number, bits: BaseBits): QuantisedRows {
  const key = `${bits} ${size} ${values.length}`;
  if (!quantised.has(key)) quantised.set(key, quantiseRows(values, size, bits));
  return quantised.get(key)!;
}

const blocks =
  (bits: BaseBits, level: 0 | 4, size = 32): Way['product'] =>
  (emit, x, matrix, output) => {
    const { out, inputs } = matrix;
    const { numbers, scales } = rowsOf(matrix, size, bits);
    const count = inputs / size;
    const held = emit.bytes(DataType.UINT8, numbers, [out, count, (size * bits) / 8]);
    const attributes = {
      K: { int: inputs },
      N: { int: out },
      bits: { int: bits },
      block_size: { int: size },
    };
    const scale = emit.floats(scales, [out, count]);
    emit.node(
      'MatMulNBits',
      [x, held, scale],
      [output],
      { ...attributes, accuracy_level: { int: level } },
      MICROSOFT,
    );
  };

/** Columns of i8[inputs, out] from −most to most with a scale each; as u8 about 128 where the kernel is to be that of unsigned numbers. */
function columns({ out, inputs, values }: Matrix, isSigned: boolean, most = 127): QuantisedRows {
  const key = `columns ${isSigned} ${most}`;
  const known = quantised.get(key);
  if (known !== undefined) return known;
  const numbers = new Uint8Array(inputs * out);
  const scales = new Float32Array(out);
  for (let n = 0; n < out; n++) {
    const row = values.subarray(n * inputs, (n + 1) * inputs);
    const scale = row.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-20) / most;
    scales[n] = scale;
    for (let k = 0; k < inputs; k++)
      numbers[k * out + n] = Math.round(row[k]! / scale) + (isSigned ? 0 : 128);
  }
  quantised.set(key, { numbers, scales });
  return { numbers, scales };
}

/** Activations quantised by one scale for the whole tensor. */
const tensorwise: Way['product'] = (emit, x, matrix, output) => {
  const { numbers, scales } = columns(matrix, true);
  const held = emit.bytes(DataType.INT8, numbers, [matrix.inputs, matrix.out]);
  emit.node('DynamicQuantizeMatMul', [x, held, emit.floats(scales, [matrix.out])], [output], {}, MICROSOFT);
};

/** How a way by rows holds its matrix, and whether the products of a graph quantise their input once for all. */
interface Rowwise {
  readonly activations: 'i8' | 'u8';
  readonly weights: 'i8' | 'u8';
  /** The largest number of a weight; 127 by default. */
  readonly most?: number;
  readonly once?: boolean;
}

/** Activations quantised by one scale for each row. */
const rowwise =
  ({ activations, weights, most, once = false }: Rowwise): Way['product'] =>
  (emit, x, matrix, output) => {
    const { numbers, scales } = columns(matrix, weights === 'i8', most);
    const held = emit.bytes(weights === 'i8' ? DataType.INT8 : DataType.UINT8, numbers, [
      matrix.inputs,
      matrix.out,
    ]);
    const shared = (key: string, make: () => string) => (once ? emit.shared(key, make) : make());
    const scale = shared('scale', () => {
      const largest = emit.call('ReduceMax', [emit.call('Abs', [x]), emit.integers([1])], {
        keepdims: { int: 0 },
      });
      const step = emit.call('Mul', [largest, emit.floats(Float32Array.of(1 / 127), [])]);
      return emit.call('Max', [step, emit.floats(Float32Array.of(1e-20), [])]);
    });
    const zero = emit.bytes(DataType.UINT8, Uint8Array.of(128), []);
    const input = shared('input', () => {
      const zeros = activations === 'i8' ? [] : [emit.call('Expand', [zero, emit.call('Shape', [scale])])];
      const dtype = activations === 'i8' ? DataType.INT8 : DataType.UINT8;
      return emit.call('QuantizeLinear', [x, scale, ...zeros], {
        axis: { int: 0 },
        output_dtype: { int: dtype },
      });
    });
    const one = emit.floats(Float32Array.of(1), []);
    const zeros = activations === 'i8' ? [] : weights === 'i8' ? [zero] : [zero, zero];
    const factors = [input, held, one, emit.floats(scales, [matrix.out]), ...zeros];
    const sums = emit.call('MatMulIntegerToFloat', factors, {}, MICROSOFT);
    emit.node('Mul', [sums, emit.call('Unsqueeze', [scale, emit.integers([1])])], [output]);
  };

/** The same with one division of the rows before they are rounded, in place of a scale for each in the rounding. */
const divided =
  (once: boolean): Way['product'] =>
  (emit, x, matrix, output) => {
    const { numbers, scales } = columns(matrix, true, 64);
    const held = emit.bytes(DataType.INT8, numbers, [matrix.inputs, matrix.out]);
    const shared = (key: string, make: () => string) => (once ? emit.shared(key, make) : make());
    const scale = shared('scale', () => {
      const largest = emit.call('ReduceMax', [emit.call('Abs', [x]), emit.integers([1])], {
        keepdims: { int: 1 },
      });
      return emit.call('Mul', [largest, emit.floats(Float32Array.of(1 / 127), [])]);
    });
    const one = emit.floats(Float32Array.of(1), []);
    const zero = emit.bytes(DataType.UINT8, Uint8Array.of(128), []);
    const input = shared('input', () =>
      emit.call('QuantizeLinear', [emit.call('Div', [x, scale]), one, zero]),
    );
    const factors = [input, held, one, emit.floats(scales, [matrix.out]), zero];
    emit.node('Mul', [emit.call('MatMulIntegerToFloat', factors, {}, MICROSOFT), scale], [output]);
  };

const plain: Way['product'] = (emit, x, { out, inputs, values }, output) =>
  emit.node('Gemm', [x, emit.floats(values, [out, inputs])], [output], { transB: { int: 1 } });

const ways: Readonly<Record<string, Way>> = {
  'f32, as engine': { packed: false, product: plain },
  'f32, packed': { packed: true, product: plain },
  'blocks of 8, f32 products, as engine': { packed: false, product: blocks(8, 0) },
  'blocks of 8, f32 products, packed': { packed: true, product: blocks(8, 0) },
  'blocks of 8, int8 products': { packed: true, product: blocks(8, 4) },
  'blocks of 8, int8 products, 64 a block': { packed: true, product: blocks(8, 4, 64) },
  'blocks of 4, f32 products, packed': { packed: true, product: blocks(4, 0) },
  'blocks of 4, int8 products': { packed: true, product: blocks(4, 4) },
  'tensor of int8': { packed: true, product: tensorwise },
  'tensor of int8, unpacked': { packed: false, product: tensorwise },
  'row, u8 × i8': { packed: true, product: rowwise({ activations: 'u8', weights: 'i8' }) },
  'row, u8 × i8 of 7 bits': {
    packed: true,
    product: rowwise({ activations: 'u8', weights: 'i8', most: 64 }),
  },
  'row, u8 × i8 of 7 bits, once': {
    packed: true,
    product: rowwise({ activations: 'u8', weights: 'i8', most: 64, once: true }),
  },
  'row divided, u8 × i8 of 7 bits': { packed: true, product: divided(false) },
  'row divided, u8 × i8 of 7 bits, once': { packed: true, product: divided(true) },
  'row divided, u8 × i8 of 7 bits, once, unpacked': { packed: false, product: divided(true) },
  'row, i8 × i8': { packed: true, product: rowwise({ activations: 'i8', weights: 'i8' }) },
  'row, u8 × u8': { packed: true, product: rowwise({ activations: 'u8', weights: 'u8' }) },
  'row, u8 × u8, once': { packed: true, product: rowwise({ activations: 'u8', weights: 'u8', once: true }) },
  'row, u8 × u8, unpacked': { packed: false, product: rowwise({ activations: 'u8', weights: 'u8' }) },
};

const { values: flags } = parseArgs({
  options: {
    shapes: { type: 'string', default: '576x576,576x1536,1536x576,896x896,896x4864,4864x896' },
    rows: { type: 'string', default: '1,8,64,256,512' },
    threads: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '5' },
    ways: { type: 'string', default: '' },
    outliers: { type: 'boolean', default: false },
  },
});
const numbers = (text: string) => text.split(',').map(Number);
const chosen = Object.entries(ways).filter(([name]) =>
  flags.ways.split(';').some((part) => name.includes(part)),
);
const random = randomStream(0, 'bench/int8-products');
const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal());

/** Bytes of f32 weights in a graph over few rows: more than caches hold. */
const STREAMED = 48 << 20;
const NO_COPIES = 'noCopies';

interface Product {
  readonly run: (x: Float32Array, rows: number) => Promise<Float32Array>;
  readonly copies: number;
  readonly release: () => Promise<void>;
}

async function openProduct(way: Way, matrix: Matrix, copies: number, threads: number): Promise<Product> {
  const emit = createEmitter('cpu');
  const outputs = Array.from({ length: copies }, (_, i) => `y${i}`);
  for (const output of outputs) way.product(emit, 'x', matrix, output);
  emit.node('SequenceEmpty', [], [NO_COPIES]);
  const tensor = (name: string, width: number) =>
    create(ValueInfoProtoSchema, {
      name,
      type: {
        value: {
          case: 'tensorType',
          value: {
            elemType: DataType.FLOAT,
            shape: {
              dim: [
                { value: { case: 'dimParam', value: 'M' } },
                { value: { case: 'dimValue', value: BigInt(width) } },
              ],
            },
          },
        },
      },
    });
  const sequence = create(ValueInfoProtoSchema, {
    name: NO_COPIES,
    type: {
      value: {
        case: 'sequenceType',
        value: { elemType: { value: { case: 'tensorType', value: { elemType: DataType.FLOAT } } } },
      },
    },
  });
  const model = create(ModelProtoSchema, {
    irVersion: 10n,
    opsetImport: [
      { domain: '', version: 21n },
      { domain: MICROSOFT, version: 1n },
    ],
    graph: {
      name: 'products',
      node: emit.nodes,
      initializer: emit.initializers,
      input: [tensor('x', matrix.inputs)],
      output: [sequence, ...outputs.map((name) => tensor(name, matrix.out))],
    },
  });
  const session = await ort.InferenceSession.create(toBinary(ModelProtoSchema, model), {
    executionProviders: ['cpu'],
    enableMemPattern: false,
    intraOpNumThreads: threads,
    logSeverityLevel: 3,
    extra: {
      session: way.packed ? {} : { disable_prepacking: '1' },
      optimization: { disable_specified_optimizers: 'CommonSubexpressionElimination' },
    },
  });
  return {
    copies,
    run: async (x, rows) => {
      const into: Record<string, ort.Tensor | null> = { [NO_COPIES]: null };
      const results = outputs.map(() => new Float32Array(rows * matrix.out));
      for (const [i, name] of outputs.entries())
        into[name] = new ort.Tensor('float32', results[i]!, [rows, matrix.out]);
      const feeds = { x: new ort.Tensor('float32', x, [rows, matrix.inputs]) };
      // The engine's trick: an output that is not a tensor stops onnxruntime-node from copying the others.
      await session.run(feeds, into).catch((cause: Error) => {
        if (!cause.message.includes('Non tensor type')) throw cause;
      });
      return results[0]!;
    },
    release: () => session.release(),
  };
}

const errorOf = (a: Float32Array, b: Float32Array): number =>
  Math.sqrt(
    mean(Array.from(a, (value, i) => (value - b[i]!) ** 2)) / mean(Array.from(b, (value) => value ** 2)),
  );

const { cpu } = machine();
console.log(
  `${cpu}, commit ${commit()}, ONNX Runtime ${ort.env.versions.node}; GF/s, median of ${flags.rounds} rounds\n`,
);
const head = ['threads', 'inputs × outputs', 'rows', ...chosen.map(([name]) => name)];
const rates: string[][] = [];
const errors: string[][] = [];
for (const shape of flags.shapes.split(',')) {
  const [inputs, out] = numbers(shape.replace('x', ',')) as [number, number];
  quantised.clear();
  const matrix: Matrix = { inputs, out, values: normals(inputs * out) };
  for (const threads of numbers(flags.threads)) {
    for (const many of [false, true]) {
      const wanted = numbers(flags.rows).filter((rows) => rows > 8 === many);
      if (wanted.length === 0) continue;
      const copies = many ? 3 : Math.max(3, Math.ceil(STREAMED / (4 * inputs * out)));
      const products = new Map<string, Product>();
      for (const [name, way] of chosen) products.set(name, await openProduct(way, matrix, copies, threads));
      for (const rows of wanted) {
        const x = normals(rows * inputs);
        if (flags.outliers) for (let row = 0; row < rows; row++) x[row * inputs + 7]! *= 30;
        const gigaflops = (2 * rows * inputs * out * copies) / 1e9;
        const seconds = new Map(chosen.map(([name]) => [name, [] as number[]]));
        const results = new Map<string, Float32Array>();
        for (let round = 0; round <= Number(flags.rounds); round++) {
          for (const [name, product] of products) {
            const start = performance.now();
            results.set(name, await product.run(x, rows));
            if (round > 0) seconds.get(name)!.push((performance.now() - start) / 1000);
          }
        }
        const first = results.get(chosen[0]![0])!;
        rates.push([
          String(threads),
          `${inputs} × ${out}`,
          String(rows),
          ...chosen.map(([name]) => (gigaflops / median(seconds.get(name)!)).toFixed(0)),
        ]);
        errors.push([
          String(threads),
          `${inputs} × ${out}`,
          String(rows),
          ...chosen.map(([name]) => errorOf(results.get(name)!, first).toFixed(4)),
        ]);
        console.error(rates.at(-1)!.join(' '), '|', errors.at(-1)!.slice(3).join(' '));
      }
      for (const product of products.values()) await product.release();
    }
  }
}
console.log(markdownTable(head, rates));
console.log(`\nRelative error beside ${chosen[0]![0]}\n`);
console.log(markdownTable(head, errors));
