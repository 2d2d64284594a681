/** @file The step bench as a table for people. */
import { markdownTable } from '../src/reports/text/markdown.ts';
import type { StepReport } from './step.ts';

const gigabytes = (bytes: number | undefined) => (bytes === undefined ? '–' : (bytes / 1e9).toFixed(2));

/** A Markdown table, one row for each peer of each configuration. Memory in GB (10⁹ bytes). */
export function stepTable(report: StepReport): string {
  const rows: string[][] = [];
  for (const { mode, batch, length, peers, ratios, fractionOfPeak } of report.results) {
    for (const [name, peer] of Object.entries(peers)) {
      const ratio = ratios[name];
      const { rssFileBytes, peakRssBytes } = peer.memory;
      rows.push([
        `${mode} ${batch}x${length}`,
        name,
        peer.best.toFixed(2),
        peer.median.toFixed(2),
        peer.tokensPerSecond.median.toFixed(0),
        ratio === undefined
          ? ''
          : `${ratio.ofMedians.toFixed(2)} / ${ratio.ofBests.toFixed(2)} / ${ratio.pairwiseMedian.toFixed(2)}`,
        ratio === undefined ? `${(100 * fractionOfPeak).toFixed(0)} %` : '',
        gigabytes(peakRssBytes),
        gigabytes(rssFileBytes),
        ratio === undefined ? '' : ratio.memory.toFixed(2),
      ]);
    }
  }
  const head = [
    'step',
    'peer',
    'best s',
    'median s',
    'tokens/s',
    'ours faster by: medians / bests / pairwise',
    'of peak',
    'peak GB',
    'mapped GB',
    'our memory / theirs',
  ];
  const peaks = Object.entries(report.matmulGigaflops).map(
    ([name, rate]) => `${name} ${rate.toFixed(0)} GF/s`,
  );
  return [
    markdownTable(head, rows),
    '',
    `Matrix product alone: ${peaks.join(', ')}. ${report.threads} threads, ${report.machine.cpu}, commit ${report.commit}.`,
  ].join('\n');
}
