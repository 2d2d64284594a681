/** @file `step`: one training step of ours and of PyTorch's, interleaved, in a fresh process for each configuration. */
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { createMatmulPeak } from './matmul-peak.ts';
import type { MemoryRecord } from './memory.ts';
import { type Peer, startPeer } from './peer.ts';
import { commit, machine, median } from './report.ts';
import { type Mode, type PeerSettings, randomWeights, smolLm2, stepFlops } from './shape.ts';

export interface StepOptions {
  /** A Python with PyTorch 2, transformers and PEFT; ours alone is measured without one. */
  readonly python?: string;
  readonly modes: readonly Mode[];
  /** Sequences × tokens. */
  readonly shapes: readonly (readonly [batch: number, length: number])[];
  readonly rounds: number;
  readonly warmups: number;
  readonly threads: number;
  readonly seed: number;
  readonly log: (line: string) => void;
  /** Receives the report after every configuration, so that a run that is stopped has left something. */
  readonly save: (report: StepReport) => Promise<void>;
}

/** One peer in one configuration. */
export interface PeerResult {
  readonly seconds: readonly number[];
  readonly best: number;
  readonly median: number;
  readonly tokensPerSecond: { readonly best: number; readonly median: number };
  readonly memory: MemoryRecord;
  readonly firstLoss: number;
  readonly lastLoss: number;
}

/** How many times as fast ours is: medians, bests, and the median of the ratios within a round. */
export interface Ratios {
  readonly ofMedians: number;
  readonly ofBests: number;
  readonly pairwiseMedian: number;
  readonly memory: number;
}

export interface StepResult {
  readonly mode: Mode;
  readonly batch: number;
  readonly length: number;
  /** Load average over one minute before the first step; the machine should have been idle. */
  readonly loadBefore: number;
  readonly gigaflops: number;
  /** Our best step's rate over the best rate of a matrix product alone. */
  readonly fractionOfPeak: number;
  readonly peers: Readonly<Record<string, PeerResult>>;
  /** By the name of the other peer. */
  readonly ratios: Readonly<Record<string, Ratios>>;
}

/** Everything that was measured, and where. */
export interface StepReport {
  readonly bench: 'step';
  readonly date: string;
  readonly commit: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly rounds: number;
  readonly warmups: number;
  readonly matmulGigaflops: Readonly<Record<string, number>>;
  readonly results: readonly StepResult[];
}

const OURS = 'ours';

/** Runs all configurations one after the other. Cost: minutes; ours and PyTorch's models are in memory together. */
export async function benchStep(options: StepOptions): Promise<StepReport> {
  const { modes, shapes, threads, rounds, warmups, seed, log, save } = options;
  const config = smolLm2();
  await using weights = await randomWeights(config, seed);
  await using peak = await createMatmulPeak(threads);
  const results: Omit<StepResult, 'fractionOfPeak'>[] = [];
  const versions: Record<string, string> = { node: process.versions.node, onnxruntime: onnxruntimeVersion() };
  const report = (): StepReport => {
    const best = Math.max(...Object.values(peak.gigaflops));
    return {
      bench: 'step',
      date: new Date().toISOString(),
      commit: commit(),
      machine: machine(),
      versions,
      threads,
      rounds,
      warmups,
      matmulGigaflops: peak.gigaflops,
      results: results.map((result) => ({
        ...result,
        fractionOfPeak: result.gigaflops / result.peers[OURS]!.best / best,
      })),
    };
  };
  for (const [batch, length] of shapes) {
    for (const mode of modes) {
      const settings = { mode, batch, length, threads, seed };
      const name = `${mode} ${batch}x${length}`;
      const loadBefore = loadavg()[0]!;
      log(`${name}: starting`);
      const peers = await startPeers(options, settings, weights.path);
      log(`${name}: ready`);
      try {
        for (const peer of peers.values()) Object.assign(versions, peer.ready.versions);
        const result = await measure(peers, settings, { rounds, warmups, log, peak });
        results.push({ mode, batch, length, loadBefore, ...result });
      } finally {
        for (const peer of peers.values()) await peer.quit();
      }
      await save(report());
    }
  }
  return report();
}

async function startPeers({ python }: StepOptions, settings: PeerSettings, weights: string) {
  const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const peers = new Map<string, Peer>();
  const ours = JSON.stringify({ ...settings, weights });
  peers.set(OURS, await startPeer(process.execPath, ['--import', 'tsx', file('our-peer.ts'), ours]));
  if (python === undefined) return peers;
  for (const dtype of ['f32', 'bf16'])
    peers.set(
      `torch ${dtype}`,
      await startPeer(python, [file('pytorch_peer.py'), JSON.stringify({ ...settings, dtype })]),
    );
  return peers;
}

interface Measuring {
  readonly rounds: number;
  readonly warmups: number;
  readonly log: (line: string) => void;
  readonly peak: { measure(): Promise<void> };
}

async function measure(
  peers: ReadonlyMap<string, Peer>,
  settings: PeerSettings,
  { rounds, warmups, log, peak }: Measuring,
) {
  const seconds = new Map([...peers.keys()].map((name) => [name, [] as number[]]));
  const losses = new Map([...peers.keys()].map((name) => [name, [] as number[]]));
  for (let round = 0; round < warmups + rounds; round++) {
    const line: string[] = [];
    for (const [name, peer] of peers) {
      const step = await peer.step();
      losses.get(name)!.push(step.loss);
      if (round >= warmups) seconds.get(name)!.push(step.seconds);
      line.push(`${name} ${step.seconds.toFixed(2)} s`);
    }
    await peak.measure();
    const { mode, batch, length } = settings;
    log(
      `${mode} ${batch}x${length} ${round < warmups ? 'warm-up' : `round ${round - warmups + 1}`}: ${line.join(', ')}`,
    );
  }
  const results: Record<string, PeerResult> = {};
  const tokens = settings.batch * settings.length;
  for (const [name, peer] of peers) {
    const times = seconds.get(name)!;
    const best = Math.min(...times);
    const middle = median(times);
    results[name] = {
      seconds: times,
      best,
      median: middle,
      tokensPerSecond: { best: tokens / best, median: tokens / middle },
      memory: await peer.memory(),
      firstLoss: losses.get(name)![0]!,
      lastLoss: losses.get(name)!.at(-1)!,
    };
  }
  const ours = results[OURS]!;
  const ratios: Record<string, Ratios> = {};
  for (const [name, other] of Object.entries(results)) {
    if (name === OURS) continue;
    ratios[name] = {
      ofMedians: other.median / ours.median,
      ofBests: other.best / ours.best,
      pairwiseMedian: median(other.seconds.map((s, i) => s / ours.seconds[i]!)),
      memory: ours.memory.peakRssBytes / other.memory.peakRssBytes,
    };
  }
  return { gigaflops: stepFlops(smolLm2(), settings) / 1e9, peers: results, ratios };
}

function onnxruntimeVersion(): string {
  const path = new URL('../package.json', import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')).dependencies['onnxruntime-node'];
}
