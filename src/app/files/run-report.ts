/** @file report.html of a training run: the loss, and the cold-start guard on held-out text, before training and after. */
import { join } from 'node:path';
import { writeFileAtomically } from '../../base/atomic-file.ts';
import { DataError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { loadAdapter } from '../../engine/lora/adapter-folder.ts';
import { loadModel, type Model } from '../../engine/models/model.ts';
import type { Example } from '../../method/data/example.ts';
import { takeAcrossUsers } from '../../method/data/splits.ts';
import { coldStart, type Guard } from '../../method/evaluation/cold-start.ts';
import { optionsInUse } from '../../method/objectives/plan.ts';
import { promptPair } from '../../method/prompts/pair.ts';
import { type Manifest, readManifest, settingsOf } from '../../method/runs/manifest.ts';
import { readStepLog, type StepLine } from '../../method/runs/step-log.ts';
import type { ScoredModel } from '../../method/scoring/scored-model.ts';
import { renderReport } from '../../reports/comparison/comparison-html.ts';

export interface RunReportOptions {
  /** The model that training began from. */
  readonly model: Model;
  /** All examples of the data; the guard takes its validation rows, or training rows where there are none. */
  readonly examples: readonly Example[];
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
  /** Told when text without history became less likely, and what to switch on. */
  readonly onWarning?: (message: string) => void;
}

/** Few enough that the report costs less than a minute of training does. */
const GUARD_EXAMPLES = 16;

/** Whether a run has its report. */
export async function hasRunReport(run: string): Promise<boolean> {
  return exists(reportOf(run));
}

/**
 * Writes `report.html` of a finished run on examples.
 * @returns its path
 * @throws {CheckpointError} when there is no run
 * @throws {WeightsError} when its result is missing or damaged
 * Cost: ten passes over 16 examples.
 */
export async function writeRunReport(run: string, options: RunReportOptions): Promise<string> {
  const { model, examples } = options;
  const manifest = await readManifest(run);
  const lines = await readStepLog(run);
  const guard = guardExamples(examples, manifest, model);
  const after = guard.rows.length > 0 ? await trainedModel(run, manifest, model) : undefined;
  const words = after && (await coldStart({ model }, after, guard, manifest, options));
  if (words?.warning !== undefined) options.onWarning?.(words.warning.replace(/^Warning: /, ''));
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
    findings: [...lossFindings(lines), ...(words?.findings ?? [])],
    cautions: [
      ...(words?.warning === undefined ? [] : [words.warning]),
      ...(words?.cautions ?? []),
      'Whether the model personalises: see nextquill evaluate, on users that were not trained on.',
    ],
    provenance: provenance(manifest),
  });
  await writeFileAtomically(reportOf(run), (file) => file.writeFile(html));
  return reportOf(run);
}

const reportOf = (run: string) => join(run, 'report.html');

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
  if (recipe.prompt === undefined) return { rows: [], kind: 'training', pool: [] };
  const validation = examples.filter((example) => example.split === 'validation' && fits(example));
  const guard = (rows: readonly Example[], kind: Guard['kind']): Guard => ({
    rows: takeAcrossUsers(rows, GUARD_EXAMPLES),
    kind,
    pool: examples,
  });
  if (validation.length > 0) return guard(validation, 'validation');
  const trained = new Set(data.examples);
  return guard(
    examples.filter(({ id }) => trained.has(id)),
    'training',
  );
}

async function trainedModel(run: string, { recipe }: Manifest, model: Model): Promise<ScoredModel> {
  return recipe.lora === undefined
    ? { model: await loadModel(join(run, 'weights')) }
    : { model, adapter: await loadAdapter(join(run, 'adapter'), model) };
}

function lossFindings(lines: readonly StepLine[]): string[] {
  const [first, last] = [lines[0], lines.at(-1)];
  if (first === undefined || last === undefined) return [];
  return [
    `The loss went from ${first.loss.toFixed(3)} in the first step to ${last.loss.toFixed(3)} in the last.`,
  ];
}

/** Settings that the objective does not use are left out. */
function provenance({ recipe, model, data, versions, machine }: Manifest): [string, string][] {
  const { prompt, lora, objectiveOptions: _, objective, estimatorDecay, estimator, ...numbers } = recipe;
  const plan = settingsOf(recipe).objective;
  const used = {
    ...numbers,
    ...(plan.rule !== 'uniform' && { estimator }),
    ...(estimator === 'moving-average' && { estimatorDecay }),
  };
  return [
    ['Model', `${model.source}, hash ${model.hash.slice(0, 12)}`],
    ['Data', `${data.source}, ${data.examples.length} examples, hash ${data.hash.slice(0, 12)}`],
    ['Objective', `${objective} ${JSON.stringify(optionsInUse(plan))}`],
    ['Trained', lora === undefined ? 'all weights' : `LoRA ${JSON.stringify(lora)}`],
    ...(prompt === undefined ? [] : [['Prompt', JSON.stringify(prompt)] as [string, string]]),
    ['Settings', JSON.stringify(used)],
    ['Versions', JSON.stringify(versions)],
    ['Machine', JSON.stringify(machine)],
  ];
}
