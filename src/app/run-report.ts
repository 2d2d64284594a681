/**
 * @file report.html of a training run: the loss, and what became of held-out text with the history and without, before
 * training and after. The text without history is the cold-start guard: an objective that is paid for a difference
 * between the two passes can win it by getting worse for users who have no history yet.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../base/atomic-file.ts';
import { DataError } from '../base/errors.ts';
import type { ProgressListener } from '../base/progress.ts';
import { type ExampleValue, meanByUser, pairedDifferenceByUser } from '../base/statistics/by-user.ts';
import type { Estimate } from '../base/statistics/estimate.ts';
import { loadAdapter } from '../engine/lora/adapter-folder.ts';
import { loadModel, type Model } from '../engine/models/model.ts';
import type { Example } from '../method/data/example.ts';
import { takeAcrossUsers } from '../method/data/splits.ts';
import { exampleEffects } from '../method/effects/rows.ts';
import type { ScoredModel } from '../method/effects/scorer.ts';
import { type PromptSettings, promptPair } from '../method/prompts/pair.ts';
import { renderReport } from '../method/report/html-report.ts';
import { type Manifest, readManifest } from '../method/training/manifest.ts';
import { readStepLog, type StepLine } from '../method/training/step-log.ts';

export interface RunReportOptions {
  /** The model that training began from. */
  readonly model: Model;
  /** All examples of the data; the guard takes its validation rows, or training rows where there are none. */
  readonly examples: readonly Example[];
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
}

/** Few enough that the report costs less than a minute of training does. */
const GUARD_EXAMPLES = 16;

/** Whether a run has its report. */
export async function hasRunReport(run: string): Promise<boolean> {
  return access(reportOf(run)).then(
    () => true,
    () => false,
  );
}

/**
 * Writes `report.html` of a finished run on examples.
 * @returns its path
 * @throws {CheckpointError} when there is no run
 * @throws {WeightsError} when its result is missing or damaged
 * Cost: four passes over 16 examples.
 */
export async function writeRunReport(run: string, options: RunReportOptions): Promise<string> {
  const { model, examples } = options;
  const manifest = await readManifest(run);
  const lines = await readStepLog(run);
  const guard = guardExamples(examples, manifest, model);
  const prompt = manifest.recipe.prompt;
  const after = guard.rows.length > 0 ? await trainedModel(run, manifest, model) : undefined;
  const score = (scored: ScoredModel) => scoreGuard(scored, guard.rows, prompt!, manifest, options);
  const comparison = after && compare(await score({ model }), await score(after), guard);
  const { recipe } = manifest;
  const html = renderReport({
    title: `Training by ${recipe.objectiveRequested}`,
    createdAt: `${manifest.step} steps on ${manifest.data.examples.length} examples, seed ${recipe.seed}`,
    introduction: [
      'What training did to the loss, and to text scored with the user’s history and without it, before and after.',
    ],
    evaluations: [],
    lossCurves: [{ system: recipe.objective, steps: lines.map(({ step, loss }) => ({ step, loss })) }],
    maps: [],
    findings: [...lossFindings(lines), ...(comparison?.findings ?? [])],
    cautions: [
      ...(comparison?.cautions ?? []),
      'Whether the model personalises: see nextquill evaluate, on users that were not trained on.',
    ],
    provenance: provenance(manifest),
  });
  await writeFileAtomically(reportOf(run), (file) => file.writeFile(html));
  return reportOf(run);
}

const reportOf = (run: string) => join(run, 'report.html');

interface Guard {
  readonly rows: readonly Example[];
  /** What the rows are, such as `validation`. */
  readonly kind: 'validation' | 'training';
}

function guardExamples(examples: readonly Example[], { data, recipe }: Manifest, model: Model): Guard {
  // Validation rows were never checked against the budget: one that is too long must not fail a run that is done.
  const fits = (example: Example) => {
    try {
      promptPair(example, model.tokenizer, { ...recipe.prompt!, reference: 'removed' });
      return true;
    } catch (error) {
      if (error instanceof DataError) return false;
      throw error;
    }
  };
  if (recipe.prompt === undefined) return { rows: [], kind: 'training' };
  const validation = examples.filter((example) => example.split === 'validation' && fits(example));
  if (validation.length > 0) return { rows: takeAcrossUsers(validation, GUARD_EXAMPLES), kind: 'validation' };
  const trained = new Set(data.examples);
  const rows = examples.filter(({ id }) => trained.has(id));
  return { rows: takeAcrossUsers(rows, GUARD_EXAMPLES), kind: 'training' };
}

async function trainedModel(run: string, { recipe }: Manifest, model: Model): Promise<ScoredModel> {
  return recipe.lora === undefined
    ? { model: await loadModel(join(run, 'weights')) }
    : { model, adapter: await loadAdapter(join(run, 'adapter'), model) };
}

type Nll = Readonly<Record<'withHistory' | 'withoutHistory', readonly ExampleValue[]>>;

async function scoreGuard(
  scored: ScoredModel,
  rows: readonly Example[],
  prompt: PromptSettings,
  { recipe }: Manifest,
  { signal, onProgress }: RunReportOptions,
): Promise<Nll> {
  const nll = { withHistory: [] as ExampleValue[], withoutHistory: [] as ExampleValue[] };
  const effects = exampleEffects(scored, rows, {
    // No history at all, whatever the reference value of training: a new user has none.
    prompt: { ...prompt, reference: 'removed' },
    threads: recipe.threads,
    ...(signal !== undefined && { signal }),
    onProgress: (progress) => onProgress?.({ ...progress, stage: 'report' }),
  });
  for await (const { example, effects: values } of effects) {
    const of = (logProbabilities: Float32Array): ExampleValue => ({
      example: example.id,
      user: example.user,
      value: -logProbabilities.reduce((sum, value) => sum + value, 0) / logProbabilities.length,
    });
    nll.withHistory.push(of(values.logProbWithHistory));
    nll.withoutHistory.push(of(values.logProbWithoutHistory));
  }
  return nll;
}

function compare(before: Nll, after: Nll, { rows, kind }: Guard): { findings: string[]; cautions: string[] } {
  const change = (pass: keyof Nll) => {
    const mean = (nll: Nll) => meanByUser(nll[pass]).value.toFixed(3);
    const difference = pairedDifferenceByUser(after[pass], before[pass]);
    return { text: `${mean(before)} before, ${mean(after)} after (${intervalText(difference)})`, difference };
  };
  const withHistory = change('withHistory');
  const withoutHistory = change('withoutHistory');
  const where = `On ${rows.length} ${kind} examples`;
  return {
    findings: [
      `${where}, NLL with the history, nats a token: ${withHistory.text}.`,
      `${where}, NLL without history, nats a token: ${withoutHistory.text}.`,
    ],
    cautions: [
      ...(withoutHistory.difference.low > 0
        ? [
            `Warning: without a history the text became less likely: ${intervalText(withoutHistory.difference)} nats a token. New users pay for this objective.`,
          ]
        : []),
      ...(kind === 'training'
        ? ['These examples were trained on: the data have no validation rows, so nothing here is held out.']
        : []),
    ],
  };
}

function intervalText({ value, low, high }: Estimate): string {
  const signed = (x: number) => `${x < 0 ? '−' : '+'}${Math.abs(x).toFixed(3)}`;
  return `${signed(value)} [${signed(low)}, ${signed(high)}]`;
}

function lossFindings(lines: readonly StepLine[]): string[] {
  const [first, last] = [lines[0], lines.at(-1)];
  if (first === undefined || last === undefined) return [];
  return [
    `The loss went from ${first.loss.toFixed(3)} in the first step to ${last.loss.toFixed(3)} in the last.`,
  ];
}

function provenance({ recipe, model, data, versions, machine }: Manifest): [string, string][] {
  const { prompt, lora, objectiveOptions, objective, ...numbers } = recipe;
  return [
    ['Model', `${model.source}, hash ${model.hash.slice(0, 12)}`],
    ['Data', `${data.source}, ${data.examples.length} examples, hash ${data.hash.slice(0, 12)}`],
    ['Objective', `${objective} ${JSON.stringify(objectiveOptions)}`],
    ['Trained', lora === undefined ? 'all weights' : `LoRA ${JSON.stringify(lora)}`],
    ...(prompt === undefined ? [] : [['Prompt', JSON.stringify(prompt)] as [string, string]]),
    ['Settings', JSON.stringify(numbers)],
    ['Versions', JSON.stringify(versions)],
    ['Machine', JSON.stringify(machine)],
  ];
}
