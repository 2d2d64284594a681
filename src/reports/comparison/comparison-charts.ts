/** @file The charts of an evaluation: effects A, B and C by system, likelihoods, author identification, known causes. */
import type { Estimate } from '../../base/statistics/estimate.ts';
import type { Evaluation } from '../../method/evaluation/results.ts';
import { EFFECT_SERIES, systemSeries } from '../charts/frame.ts';
import { type IntervalGroup, intervalChart } from '../charts/interval-chart.ts';
import type { Html, HtmlPart } from '../text/html.ts';
import { figure } from '../text/html-parts.ts';
import { measureWords } from './measure-words.ts';

/** A, B and C of every system, each effect in its colour. */
export function effectsChart({ historyEffects = [] }: Evaluation): Html | undefined {
  if (historyEffects.length === 0) return undefined;
  const rows = (effect: keyof typeof EFFECT_SERIES) =>
    historyEffects.map((each) => ({
      label: each.system,
      estimate: each[effect],
      series: EFFECT_SERIES[effect],
    }));
  const groups: IntervalGroup[] = [
    { label: 'A: own history against none', rows: rows('total') },
    { label: 'B: another user’s history against none', rows: rows('generic') },
    { label: 'C = A − B: own history against another’s', rows: rows('userSpecific') },
  ];
  return figure(
    'What a history changes for each token, with 95% intervals by user; right of 0 the text gets likelier. C is the honest personalisation.',
    (width) =>
      intervalChart({
        title: 'Effects of histories by system',
        xLabel: 'nats a token',
        groups,
        reference: { value: 0, label: 'no effect' },
        width,
      }),
  );
}

/** The other charts. */
export function evaluationCharts({ systems, effectAuc = [] }: Evaluation): HtmlPart {
  const order = systems.map(({ name }) => name);
  const row = (system: string, estimate: Estimate) => ({
    label: system,
    estimate,
    series: systemSeries(order.indexOf(system)),
  });
  const nll: IntervalGroup[] = (['nllWithHistory', 'nllWithoutHistory', 'nllOtherHistory'] as const).map(
    (measure) => ({
      label: measureWords[measure].label,
      rows: systems.map((system) => row(system.name, system[measure])),
    }),
  );
  const identified = systems.flatMap(({ name, authorIdentification: found }) =>
    found ? [{ name, found }] : [],
  );
  const k = identified[0]?.found.k;
  return [
    figure('Held-out negative log-likelihood; further left is likelier.', (width) =>
      intervalChart({
        title: 'Held-out negative log-likelihood by system',
        xLabel: 'nats a token',
        groups: nll,
        width,
      }),
    ),
    k !== undefined &&
      figure(`How often the true user’s history, among ${k}, makes the text likeliest.`, (width) =>
        intervalChart({
          title: 'Author identification by system',
          xLabel: 'share of texts',
          groups: [{ rows: identified.map(({ name, found }) => row(name, found)) }],
          reference: { value: 1 / k, label: 'chance' },
          width,
        }),
      ),
    effectAuc.length > 0 &&
      figure('How well the log ratio ranks tokens that the user caused above the others (AUC).', (width) =>
        intervalChart({
          title: 'AUC of effects against known causes',
          xLabel: 'AUC',
          groups: [{ rows: effectAuc.map((each) => row(each.system, each)) }],
          reference: { value: 0.5, label: 'chance' },
          width,
        }),
      ),
  ];
}
