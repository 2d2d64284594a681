/** @file The words of the quickstart's report that are not findings: what was done, and with what. */
import type { Model } from '../../engine/models/model.ts';
import { settingsText } from '../../reports/text/settings-text.ts';
import type { QuickstartData } from './data.ts';

/** What was compared, for someone who has not read the paper. */
export function introduction(data: QuickstartData, candidates: number): string[] {
  return [
    'What does a model take from a user’s earlier texts? NextQuill asks this of every token: the same text is scored twice, once with the user’s history in the prompt and once without. Where the history makes a token likelier, the token is the user’s own.',
    `A small model that ships with the project (base) was trained on simulated users who review things that they bought, read or visited. Here it meets users who write of journeys, in which no item, no place and no name is one that it knows. It was fine-tuned on ${data.train.length} users in two ways: by plain cross-entropy (sft), and by NextQuill’s default objective (nextquill), which also asks that the text stays likely when the history counts for somewhat more or less than it does. Same data, same seed, same steps.`,
    `All were scored on ${data.newWorld.length} users of the new world and ${data.knownWorld.length} of the known one. No training has seen these users, and of every word of theirs the cause is known. Author identification asks which of ${candidates} histories makes the text likeliest; chance is ${(100 / candidates).toFixed(0)} %.`,
  ];
}

/** Name and value of everything that is needed to repeat the run. */
export function provenance(
  model: Model,
  data: QuickstartData,
  seed: number,
  seconds: number,
  training: Readonly<Record<string, unknown>>,
): [string, string][] {
  return [
    ['Model', `embedded, ${model.parameters.length} tensors, hash ${model.hash.slice(0, 12)}`],
    ['Training data', `${data.train.length} simulated users of both worlds`],
    [
      'Held-out data',
      `${data.newWorld.length} users of the new world, ${data.knownWorld.length} of the known one`,
    ],
    ['Training', settingsText(training)],
    ['Seed', String(seed)],
    ['Node', process.version],
    ['Seconds', seconds.toFixed(0)],
    ['Command', `nextquill quickstart --seed ${seed}`],
  ];
}
