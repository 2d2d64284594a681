/** @file How a run was made, as labels and values that a reader can follow. */
import { optionsInUse } from '../../method/objectives/plan.ts';
import { type Manifest, settingsOf } from '../../method/runs/manifest.ts';
import type { Provenance } from '../text/html-parts.ts';
import { portableName } from '../text/portable-name.ts';
import { settingsText } from '../text/settings-text.ts';

/** Settings that the objective does not use are left out. */
export function runProvenance({ recipe, model, data, versions, machine }: Manifest): Provenance {
  const { prompt, lora, objective, objectiveRequested, baseBits, ...others } = recipe;
  const { objectiveOptions: _, estimator, estimatorDecay, estimatorModel, ...rest } = others;
  const { evalEvery, evalExamples, keepBest, ...numbers } = rest;
  const plan = settingsOf(recipe).objective;
  const settings = settingsText({
    ...numbers,
    ...(evalEvery > 0 && { evalEvery, evalExamples }),
    ...(keepBest && { keepBest }),
    ...(plan.asksEffects && { estimator }),
    ...(estimator === 'moving-average' && { estimatorDecay }),
    ...(estimatorModel !== undefined && { estimatorModel: portableName(estimatorModel) }),
  });
  const options = settingsText(optionsInUse(plan));
  return [
    ['Model', `${portableName(model.source)}, hash ${model.hash.slice(0, 12)}`],
    [
      'Data',
      `${portableName(data.source)}, ${data.examples.length} examples, hash ${data.hash.slice(0, 12)}`,
    ],
    ['Objective', objectiveRequested === objective ? objective : `${objectiveRequested} (${objective})`],
    ...(options === '' ? [] : [['Objective options', options] as const]),
    ['Trained', lora === undefined ? 'all weights' : `LoRA: ${settingsText(lora)}`],
    ...(baseBits === undefined ? [] : [['Base', `${baseBits} bits`] as const]),
    ...(prompt === undefined ? [] : [['Prompt', settingsText(prompt)] as const]),
    ['Settings', settings],
    ['Versions', settingsText(versions)],
    ['Machine', settingsText(machine)],
  ];
}
