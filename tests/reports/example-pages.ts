/** @file One page of every kind from small examples, for the test in a browser. */
import type { ColdStart } from '../../src/method/evaluation/cold-start.ts';
import { defaultPromptSettings } from '../../src/method/prompts/pair.ts';
import type { Refutation, RefutationResult } from '../../src/method/refutation/results.ts';
import { refutationTests } from '../../src/method/refutation/suite.ts';
import type { Manifest } from '../../src/method/runs/manifest.ts';
import { renderAuditHtml } from '../../src/reports/audit/audit-html.ts';
import { renderComparison } from '../../src/reports/comparison/comparison-html.ts';
import { renderEffectMapHtml } from '../../src/reports/heat-map/heat-map-html.ts';
import { renderRefutationHtml } from '../../src/reports/refutation/refutation-html.ts';
import { renderRunReport } from '../../src/reports/run/run-html.ts';
import { exampleAudit, group } from './audit/example-audit.ts';
import { about, difference, exampleEvaluation } from './comparison/example-results.ts';
import { exampleMap } from './heat-map/example-map.ts';

const text =
  'Quietly devastating, and never once sentimental: the second half drags a little, but the prose is so sure of itself that I did not mind. Yours, as ever, from the back row.';
const effects = text.split(' ').map((_, i) => [0, 2.4, -0.4, 0, 0.2, 0, 3.1, 0, -1.2, 0.1][i % 10]!);

const map = () => exampleMap(text, effects);

const mapOfItems = () => ({
  ...map(),
  items: [{ effect: 0.2, mean: 0.1, low: 0, high: 0.3, kind: 'useful' as const }],
  tokens: map().tokens.map((token) => ({ ...token, itemEffects: [token.values.logRatio / 2] })),
});

const historyEffects = ['base', 'sft', 'nextquill'].map((system, i) => ({
  system,
  total: about(0.1 + i * 0.1, 0.05),
  generic: about(0.05 + i * 0.03, 0.04),
  userSpecific: about(0.05 + i * 0.07, 0.05),
}));

const evaluation = () => {
  const example = exampleEvaluation();
  return {
    ...example,
    systems: [{ ...example.systems[0]!, name: 'base' }, ...example.systems],
    historyEffects,
    effectAuc: historyEffects.map(({ system }, i) => ({ ...about(0.6 + i / 10, 0.05), system })),
    differences: [
      difference('nllWithHistory', about(-0.1, 0.05)),
      difference('nllOtherHistory', about(0.1, 0.05)),
      difference('userSpecificEffect', about(0.2, 0.05)),
      difference('nllWithoutHistory', about(0.06, 0.02), 'base'),
    ],
  };
};

function refutation(): Refutation {
  const tests = refutationTests.map(({ name, leaves }, i): RefutationResult => {
    const kept = about(leaves === 'nothing' ? 0.1 : 0.95, 0.2);
    const measured = { effect: about(kept.value * 0.3, 0.08), ...(leaves && { leaves, kept }) };
    const verdict = (['passes', 'passes', 'cannot tell', 'passes'] as const)[i % 4]!;
    return {
      name,
      ...measured,
      users: 24,
      examples: 48,
      verdict,
      reason: leaves
        ? { code: 'share', kept, from: -0.5, to: 0.5 }
        : { code: 'neighbours', effect: about(2, 0.2) },
    };
  });
  return {
    total: about(0.5, 0.1),
    userSpecific: about(0.3, 0.08),
    strangers: 0.1,
    users: 24,
    examples: 48,
    leftOut: { withoutHistory: 2, historyDoesNotFit: 0, othersDoNotFit: 0, tooLong: 0, first: {} },
    maxTokens: 512,
    others: 3,
    matching: { length: { most: 0.1, median: 0.04 } },
    tests,
    verdict: 'cannot tell',
  };
}

const change = (before: number, by: number, half: number) => ({
  before: about(before, 0.1),
  after: about(before + by, 0.1),
  change: about(by, half),
});

const coldStart: ColdStart = {
  kind: 'validation',
  examples: 16,
  users: 16,
  shown: 14,
  compared: 12,
  others: 3,
  nllWithHistory: change(3.2, -0.3, 0.1),
  nllWithoutHistory: change(3.5, 0.08, 0.05),
  total: change(0.3, 0.38, 0.1),
  userSpecific: change(0.1, 0.1, 0.2),
  isWorseWithoutHistory: true,
  remedies: [{ code: 'stop-gradient' }, { code: 'anchor', above: 0 }],
};

const manifest = {
  formatVersion: 1,
  status: 'done',
  step: 60,
  totalSteps: 60,
  recipe: {
    objective: 'sft',
    objectiveRequested: 'sft',
    objectiveOptions: {},
    estimator: 'dynamic',
    estimatorDecay: 0.99,
    learningRate: 2e-4,
    schedule: 'linear',
    batchSize: 4,
    gradientAccumulation: 4,
    seed: 0,
    lora: { rank: 16, loraAlpha: 32, targetModules: ['q_proj', 'v_proj'] },
    prompt: defaultPromptSettings(1024),
  },
  model: { source: 'embedded', hash: 'a'.repeat(64), tokenizerHash: 'b'.repeat(64) },
  data: { source: 'users.jsonl', hash: 'c'.repeat(64), examples: ['1'], exampleHashes: [], promptsHash: 'd' },
  versions: { nextquill: '0.1.0', node: '20.20.2', onnxruntime: '1.30.0' },
  machine: { platform: 'linux-x64', processor: 'Some processor', threads: 2 },
} as unknown as Manifest;

const steps = Array.from({ length: 60 }, (_, i) => ({
  step: i + 1,
  loss: 3 - i / 60 + 0.2 * Math.sin(i * 1.7),
}));

/** Name of a page and what renders it. */
export const examplePages: Readonly<Record<string, () => string>> = {
  quickstart: () =>
    renderComparison({
      question: 'Does a model that was trained on users’ histories use a user’s own?',
      facts: 'NextQuill quickstart · seed 1 · 142 seconds',
      system: 'nextquill',
      introduction: ['A small model was fine-tuned in two ways.'],
      evaluations: [evaluation(), { ...evaluation(), name: 'Presidents', users: 12 }],
      lossCurves: ['sft', 'nextquill'].map((system) => ({ system, steps })),
      maps: [map(), map()],
      provenance: [['Model', 'embedded']],
    }),
  run: () => renderRunReport({ manifest, steps, coldStart }),
  audit: () =>
    renderAuditHtml(
      exampleAudit({
        byUser: Array.from({ length: 24 }, (_, i) =>
          group(`user ${i + 1}`, 0.4 - i * 0.025, i % 3 === 0 ? 1 : 6),
        ),
        users: 24,
        maps: { most: [mapOfItems()], least: [mapOfItems()] },
      }),
    ),
  refutation: () => renderRefutationHtml(refutation(), [['Model', 'embedded']]),
  explain: () => renderEffectMapHtml([mapOfItems()]),
  evaluate: () =>
    renderComparison({
      question: 'Does the model use a user’s own history?',
      facts: 'Evaluation of embedded on users.jsonl',
      system: 'base',
      evaluations: [
        {
          ...evaluation(),
          systems: evaluation().systems.slice(0, 1),
          historyEffects: historyEffects.slice(0, 1),
        },
      ],
      warnings: ['2 examples left out: no history of theirs is shown.'],
      provenance: [['Model', 'embedded']],
    }),
};
