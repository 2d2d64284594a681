/** @file report.html of a training run: the loss, and the cold-start guard on held-out text, before training and after. */
import { join } from 'node:path';
import { writeFileAtomically } from '../../base/atomic-file.ts';
import { exists } from '../../base/exists.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { loadAdapter } from '../../engine/lora/adapter-folder.ts';
import { loadModel, type Model } from '../../engine/models/model.ts';
import type { Example } from '../../method/data/example.ts';
import type { NoticeListener } from '../../method/data/notice.ts';
import { takeAcrossUsers } from '../../method/data/splits.ts';
import { coldStart, coldStartNotice, type Guard } from '../../method/evaluation/cold-start.ts';
import { type Manifest, readManifest } from '../../method/runs/manifest.ts';
import { readStepLog } from '../../method/runs/step-log.ts';
import type { ScoredModel } from '../../method/scoring/scored-model.ts';
import { takeFitting } from '../../method/training/held-out.ts';
import { renderRunReport } from '../../reports/run/run-html.ts';

/** What the report of a run is made of. */
export interface RunReportOptions {
  /** The model that training began from. */
  readonly model: Model;
  /** All examples of the data; the guard takes its validation rows, or training rows where there are none. */
  readonly examples: readonly Example[];
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
  /** Told when text without history became less likely, and what to switch on. */
  readonly onNotice?: NoticeListener | undefined;
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
  const steps = await readStepLog(run);
  const guard = guardExamples(examples, manifest, model);
  const after = guard.rows.length > 0 ? await trainedModel(run, manifest, model) : undefined;
  const found = after && (await coldStart({ model }, after, guard, manifest, options));
  const notice = found && coldStartNotice(found);
  if (notice !== undefined) options.onNotice?.(notice);
  const html = renderRunReport({ manifest, steps, coldStart: found });
  await writeFileAtomically(reportOf(run), (file) => file.writeFile(html));
  return reportOf(run);
}

const reportOf = (run: string) => join(run, 'report.html');

function guardExamples(examples: readonly Example[], { data, recipe }: Manifest, model: Model): Guard {
  if (recipe.prompt === undefined) return { rows: [], kind: 'training', pool: [] };
  const validation = takeFitting(
    examples.filter(({ split }) => split === 'validation'),
    GUARD_EXAMPLES,
    model.tokenizer,
    recipe.prompt,
  );
  if (validation.length > 0) return { rows: validation, kind: 'validation', pool: examples };
  const trained = new Set(data.examples);
  const rows = takeAcrossUsers(
    examples.filter(({ id }) => trained.has(id)),
    GUARD_EXAMPLES,
  );
  return { rows, kind: 'training', pool: examples };
}

async function trainedModel(run: string, { recipe }: Manifest, model: Model): Promise<ScoredModel> {
  const { device, worker } = model;
  const weights = () => loadModel(join(run, 'weights'), undefined, { asStored: worker !== undefined });
  return recipe.lora === undefined
    ? { model: { ...(await weights()), ...(device && { device }), ...(worker && { worker }) } }
    : { model, adapter: await loadAdapter(join(run, 'adapter'), model) };
}
