/** @file The public API as a table of contents; nothing else. */

// Data of people's own: tables, dumps, benchmarks and chat exports to examples.
export { type ConvertedData, convertData } from './app/data/convert-data.ts';
export type { ConvertDataOptions } from './app/data/convert-options.ts';
export { type DescribeDataOptions, describeData } from './app/data/describe-data.ts';
// Effects that were computed before, kept as Parquet.
export { type EffectCacheOptions, effectCache } from './app/files/effect-cache.ts';
export { writeEffectRows } from './app/files/effect-file.ts';
// Models and adapters in the formats of other tools.
export {
  type ExportDtype,
  type ExportFormat,
  type ExportOptions,
  type ExportResult,
  exportModel,
} from './app/files/export-model.ts';
// A finished run as a report: loss, and text with and without history before and after.
export { type RunReportOptions, writeRunReport } from './app/files/run-report.ts';
export { openEstimator } from './app/open/estimator-source.ts';
// Models: a folder in Hugging Face's layout, or the embedded one; with an adapter and its prompt settings.
export { embeddedModelFolder, type OpenModelOptions, openModel } from './app/open/model-source.ts';
export { type OpenedModel, type OpenScoredModelOptions, openScoredModel } from './app/open/scored-model.ts';
// The main job on the embedded model.
export { type QuickstartOptions, type QuickstartResult, quickstart } from './app/quickstart/quickstart.ts';
// Errors, each with a code and a hint; progress.
export * from './base/errors.ts';
export type { Progress, ProgressListener } from './base/progress.ts';
export type { Estimate } from './base/statistics/estimate.ts';
export { type Adapter, type LoadedAdapter, loadAdapter } from './engine/lora/adapter-folder.ts';
export { loadModel, type Model } from './engine/models/model.ts';
export type { LoraOptions } from './engine/models/parameters.ts';
export type { BaseBits } from './engine/quantisation/blocks.ts';
export { withQuantisedBase } from './engine/quantisation/quantised-base.ts';
// Audit without training: does the history matter, for whom, where.
export { type AuditOptions, audit } from './method/audit/audit.ts';
export type { AuditResult } from './method/audit/results.ts';
// Authorship: does a text sound like its author?
export {
  type AuthorshipVerdict,
  type SentenceAuthorship,
  type TextAuthorship,
  type TextAuthorshipOptions,
  textAuthorship,
} from './method/authorship/text-authorship.ts';
export type { DataDescription } from './method/corpus/describe.ts';
// Data: users with histories, real and simulated.
export type { Cause, CauseSpan, Example, HistoryItem, Split } from './method/data/example.ts';
export { writeExamples } from './method/data/jsonl.ts';
export { checkLeakage, type LeakageOptions } from './method/data/leakage.ts';
export { type ReadOptions, readExamples } from './method/data/source.ts';
export {
  forEvaluation,
  forTraining,
  forValidation,
  type SplitShares,
  splitByUser,
} from './method/data/splits.ts';
// Evaluation: does it personalise?
export {
  type EvaluationOptions,
  type ExampleScore,
  evaluate,
  pairedDifferences,
  type SystemEvaluation,
} from './method/evaluation/evaluate.ts';
export {
  evaluateGenerated,
  type GeneratedEvaluation,
  type GeneratedText,
} from './method/evaluation/generated-text.ts';
export type { AuthorIdentification, HistoryEffect, SystemResult } from './method/evaluation/results.ts';
export type { EffectMap, EffectName, EffectToken } from './method/explain/effect-map.ts';
// Explanation: heat maps.
export { type ExplainOptions, explain, explainAll } from './method/explain/explain.ts';
// Generation: with the history, without, or in between.
export {
  type GeneratedToken,
  type GenerationOptions,
  type GenerationRequest,
  generate,
  generateAll,
  generationRequest,
} from './method/generation/generate.ts';
// Metrics of predicted texts: the field's, as its own packages compute them, and ours.
export { type CopiedRun, type CopiedRuns, copiedRuns } from './method/metrics/copied-runs.ts';
export type { TextPair } from './method/metrics/metric.ts';
export { metricNames } from './method/metrics/metric-table.ts';
export { type MetricsOptions, type MetricsResult, metrics } from './method/metrics/metrics.ts';
export { pairsFromJsonl } from './method/metrics/read-pairs.ts';
export {
  type ChoiceAccuracy,
  type ChoiceItem,
  type ChoiceRule,
  choiceAccuracy,
  type ScoreChoicesOptions,
  type ScoredChoice,
  type ScoredChoices,
  scoreChoices,
} from './method/metrics/score-choices.ts';
// Training: by any objective, full or LoRA, resumable.
export { type ObjectiveOptions, objectiveOptionTable } from './method/objectives/objective-options.ts';
export {
  DEFAULT_OBJECTIVE,
  describeObjective,
  type ObjectiveChoice,
  type ObjectiveName,
  objectiveNames,
} from './method/objectives/objectives.ts';
export {
  type EstimatorName,
  estimatorNames,
  type ObjectivePlan,
  planObjective,
} from './method/objectives/plan.ts';
// Prompts: the same query with the history and without.
export {
  defaultPromptSettings,
  type PairHistories,
  type PromptPair,
  type PromptSettings,
  promptPair,
} from './method/prompts/pair.ts';
export type { ReferenceValue } from './method/prompts/template.ts';
export type { RefutationTest, Verdict } from './method/refutation/refutation-test.ts';
// Refutation: does the effect stand strangers’ histories, wrong targets and other words?
export { type RefutationOptions, refute } from './method/refutation/refute.ts';
export type { Refutation, RefutationResult } from './method/refutation/results.ts';
export { refutationTests } from './method/refutation/suite.ts';
export { type Manifest, readManifest, type TrainSummary } from './method/runs/manifest.ts';
export type { TrainEvent } from './method/runs/run.ts';
export {
  type ContinueOptions,
  type ResumeOptions,
  resume,
  resumePairs,
  type TrainOptions,
  type TrainPairsOptions,
  train,
  trainPairs,
} from './method/runs/train.ts';
export type { EffectCache } from './method/scoring/effect-cache.ts';
// Effects: what the history changes at every response token, and which of its items do.
export {
  type ExampleItemEffects,
  type ItemEffect,
  type ItemEffectsOptions,
  itemEffects,
} from './method/scoring/item-effects.ts';
export { type ItemKind, itemKinds } from './method/scoring/item-kinds.ts';
export { type EffectRow, type EffectRowsOptions, effectRows as effects } from './method/scoring/rows.ts';
export type { ScoredModel } from './method/scoring/scored-model.ts';
export { type SimulationOptions, simulate } from './method/simulation/simulate.ts';
export type { MemoryRecord } from './method/training/memory/memory-check.ts';
export type { TrainingSettings } from './method/training/settings.ts';
export { type AuditHtmlOptions, renderAuditHtml } from './reports/audit/audit-html.ts';
export { type AuditJson, auditJson } from './reports/audit/audit-json.ts';
export { renderAuditTerminal } from './reports/audit/audit-table.ts';
export { type DataHtmlOptions, renderDataHtml } from './reports/data-set/data-html.ts';
export { type EffectMapJson, effectMapJson } from './reports/heat-map/effect-map-json.ts';
export { type EffectMapHtmlOptions, renderEffectMapHtml } from './reports/heat-map/heat-map-html.ts';
export {
  type EffectMapTerminalOptions,
  renderEffectMapTerminal,
} from './reports/heat-map/heat-map-terminal.ts';
export { renderRefutationHtml } from './reports/refutation/refutation-html.ts';
export { refutationTable } from './reports/refutation/refutation-summary.ts';
