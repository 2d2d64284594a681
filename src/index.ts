/** @file The public API as a table of contents, ordered by hand; nothing else. */
/// <reference lib="esnext.disposable" preserve="true" />

// Open: a model, an adapter, a run or a quantised base, for everything below.
export type { Subject, VerbOptions } from './app/verbs.ts';
export { open, type Opened, type OpenOptions } from './app/open/open.ts';
export { openRemote, type RemoteOptions } from './app/remote/open-remote.ts';
export type { RemoteRecord } from './method/scoring/remote-passes.ts';
export { openEstimator } from './app/open/estimator-source.ts';
export { type OpenModelOptions, openModel } from './app/open/model-source.ts';
export type { OpenedModel, OpenScoredModelOptions } from './app/open/scored-model.ts';
export type { Device, DeviceChoice } from './base/device.ts';
export type { Products } from './base/products.ts';
export { checkOnDevice, type DeviceCheck, type DeviceTaken } from './engine/models/device-check.ts';
export { type Adapter, type LoadedAdapter, loadAdapter } from './engine/lora/adapter-folder.ts';
export { loadModel, type Model } from './engine/models/model.ts';
export type { LoraOptions } from './engine/models/parameters.ts';
export type { BaseBits } from './engine/quantisation/blocks.ts';
export type { ScoredModel } from './method/scoring/scored-model.ts';

// Data: users with histories: files, data sets, tables of one’s own, simulated users; what a prompt shows of them.
export { type ConvertedData, convertData } from './app/data/convert-data.ts';
export type { ConvertDataOptions } from './app/data/convert-options.ts';
export { type DescribeDataOptions, describeData } from './app/data/describe-data.ts';
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
export {
  defaultPromptSettings,
  type PairHistories,
  type PromptPair,
  type PromptSettings,
  promptPair,
} from './method/prompts/pair.ts';
export type { Retrieval } from './method/retrieval/choose.ts';
export { measuredFor } from './method/scoring/measured-retrieval.ts';
export type { ReferenceValue } from './method/prompts/template.ts';
export { type SimulationOptions, simulate } from './method/simulation/simulate.ts';
export { type DataHtmlOptions, renderDataHtml } from './reports/data-set/data-html.ts';

// Effects: what the history changes at every token, which of its items do, and how it looks.
export { effects, itemEffects, explain } from './app/verbs.ts';
export { type EffectCacheOptions, effectCache } from './app/files/effect-cache.ts';
export { writeEffectRows } from './app/files/effect-file.ts';
export type { EffectMap, EffectName, EffectToken } from './method/explain/effect-map.ts';
export type { ExplainOptions } from './method/explain/explain.ts';
export type { EffectCache } from './method/scoring/effect-cache.ts';
export type { ExampleItemEffects, ItemEffect, ItemEffectsOptions } from './method/scoring/item-effects.ts';
export { type ItemKind, itemKinds } from './method/scoring/item-kinds.ts';
export type { EffectRow, EffectRowsOptions } from './method/scoring/rows.ts';
export { type EffectMapJson, effectMapJson } from './reports/heat-map/effect-map-json.ts';
export { type EffectMapHtmlOptions, renderEffectMapHtml } from './reports/heat-map/heat-map-html.ts';
export {
  type EffectMapTerminalOptions,
  renderEffectMapTerminal,
} from './reports/heat-map/heat-map-terminal.ts';

// Audit and refutation: does the history matter, for whom, and does the effect stand?
export { audit, refute } from './app/verbs.ts';
export type { AuditOptions } from './method/audit/audit.ts';
export type { AuditResult } from './method/audit/results.ts';
export type { RefutationTest, Verdict } from './method/refutation/refutation-test.ts';
export type { RefutationOptions } from './method/refutation/refute.ts';
export type { Refutation, RefutationResult } from './method/refutation/results.ts';
export { refutationTests } from './method/refutation/suite.ts';
export { type AuditHtmlOptions, renderAuditHtml } from './reports/audit/audit-html.ts';
export { type AuditJson, auditJson } from './reports/audit/audit-json.ts';
export { renderAuditTerminal } from './reports/audit/audit-table.ts';
export { renderRefutationHtml } from './reports/refutation/refutation-html.ts';
export { refutationTable } from './reports/refutation/refutation-summary.ts';

// Evaluation: does it personalise, and do texts sound like their author?
export { evaluate } from './app/verbs.ts';
export type { Estimate } from './base/statistics/estimate.ts';
export {
  type AuthorshipVerdict,
  type SentenceAuthorship,
  type TextAuthorship,
  type TextAuthorshipOptions,
  textAuthorship,
} from './method/authorship/text-authorship.ts';
export {
  type EvaluationOptions,
  type ExampleScore,
  pairedDifferences,
  type SystemEvaluation,
} from './method/evaluation/evaluate.ts';
export {
  evaluateGenerated,
  type GeneratedEvaluation,
  type GeneratedText,
} from './method/evaluation/generated-text.ts';
export type { AuthorIdentification, HistoryEffect, SystemResult } from './method/evaluation/results.ts';
export { type CopiedRun, type CopiedRuns, copiedRuns } from './method/texts/copied-runs.ts';
export type { TextPair } from './method/metrics/metric.ts';
export { metricNames } from './method/metrics/metric-table.ts';
export { type MetricsOptions, type MetricsResult, metrics } from './method/metrics/metrics.ts';
export { pairsFromJsonl } from './method/metrics/read-pairs.ts';
export { type ChoiceResult, choiceItems, choiceResult } from './method/metrics/choice-items.ts';
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

// Benchmarks: systems side by side on held-out users.
export { benchmark } from './app/benchmark/benchmark.ts';
export type { BenchmarkOptions } from './app/benchmark/system-run.ts';
export type { BenchmarkRecipe } from './app/config/benchmark-recipe.ts';
export type { BenchmarkBoard, BenchmarkResult } from './method/benchmark/results.ts';
export {
  type ObjectiveSystem,
  type ScaledSystem,
  type SystemEntry,
  type SystemName,
  systemNames as benchmarkSystemNames,
} from './method/benchmark/systems.ts';
export { benchmarkMarkdown } from './reports/benchmark/benchmark-markdown.ts';

// Training: by any objective, full or LoRA, resumable.
export { train, type FineTuningOptions } from './app/verbs.ts';
export { type RunReportOptions, writeRunReport } from './app/files/run-report.ts';
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
export { type Manifest, readManifest, type TrainSummary } from './method/runs/manifest.ts';
export type { TrainEvent } from './method/runs/run.ts';
export {
  type ContinueOptions,
  type ResumeOptions,
  resume,
  resumePairs,
  type TrainOptions,
  type TrainPairsOptions,
  trainPairs,
} from './method/runs/train.ts';
export {
  resumeUsers,
  type TrainUsersOptions,
  trainUsers,
  type UserAdapter,
  type UsersEvent,
  type UsersSummary,
} from './method/runs/train-users.ts';
export { type UserTexts, userTextsRules } from './method/data/user-texts.ts';
export type { MemoryRecord } from './method/training/memory/memory-check.ts';
export type { TrainingSettings } from './method/training/settings.ts';

// Generation: with the history, without, or in between.
export { generate, type GenerateOptions } from './app/verbs.ts';
export type { GeneratedToken, GenerationOptions } from './method/generation/generate.ts';

// Around it: exports, the quickstart, notices, progress, errors.
export {
  type ExportDtype,
  type ExportFormat,
  type ExportOptions,
  type ExportResult,
  exportModel,
} from './app/files/export-model.ts';
export { type QuickstartOptions, type QuickstartResult, quickstart } from './app/quickstart/quickstart.ts';
export {
  AbortedError,
  CheckpointError,
  ConfigError,
  ContractError,
  DataError,
  EngineError,
  type ErrorOptions,
  exitCodeOf,
  GraphError,
  NextQuillError,
  ShapeError,
  WeightsError,
} from './base/errors.ts';
export type { Notice, NoticeListener } from './method/data/notice.ts';
export { noticeText } from './reports/text/notice-text.ts';
export type { Progress, ProgressListener } from './base/progress.ts';
export type { DataDescription } from './method/corpus/describe.ts';
