/** @file The machine's ceiling for this engine: ONNX Runtime's f32 matrix product at its best. */
import { compile } from '../src/engine/onnx/program.ts';
import { gemm, input } from '../src/engine/ops/operators.ts';
import { createSession, type Session } from '../src/engine/runtime/session.ts';

/** Rows, inner dimension and columns of the products that are timed. */
const PRODUCTS = [
  [512, 2048, 2048],
  [2048, 2048, 2048],
] as const;

/** Best rate of each product since the start, GF/s (10⁹ additions and multiplications a second). */
export interface MatmulPeak extends AsyncDisposable {
  /** Times every product a few times more, so that calls spread over a run catch the machine at its best. */
  measure(): Promise<void>;
  readonly gigaflops: Readonly<Record<string, number>>;
}

export async function createMatmulPeak(threads: number): Promise<MatmulPeak> {
  const program = compile({ product: gemm(input('a', 'f32', ['M', 'K']), input('b', 'f32', ['K', 'N'])) });
  const session: Session = await createSession(program, { threads });
  const gigaflops: Record<string, number> = {};
  const products = PRODUCTS.map(([m, k, n]) => ({
    name: `${m}x${k}x${n}`,
    flops: 2 * m * k * n,
    feeds: { a: filled(m, k), b: filled(k, n) },
    into: { product: filled(m, n) },
  }));
  return {
    gigaflops,
    measure: async () => {
      for (const { name, flops, feeds, into } of products) {
        for (let i = 0; i < 5; i++) {
          const start = performance.now();
          await session.run(feeds, into);
          const rate = flops / (performance.now() - start) / 1e6;
          gigaflops[name] = Math.max(gigaflops[name] ?? 0, rate);
        }
      }
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

function filled(rows: number, columns: number) {
  const data = Float32Array.from({ length: rows * columns }, (_, i) => ((i * 7919) % 1000) / 1000 - 0.5);
  return { data, shape: [rows, columns] };
}
