/** @file `nextquill benchmark`: the leaderboard of a recipe. */
import { join, resolve } from 'node:path';
import { writeFileAtomically } from '../../../base/atomic-file.ts';
import { ConfigError } from '../../../base/errors.ts';
import type { BenchmarkResult } from '../../../method/benchmark/results.ts';
import { renderBenchmarkHtml } from '../../../reports/benchmark/benchmark-html.ts';
import { benchmarkMarkdown } from '../../../reports/benchmark/benchmark-markdown.ts';
import { benchmark } from '../../benchmark/benchmark.ts';
import { type BenchmarkRecipe, benchmarkJsonSchema, benchmarkSchema } from '../../config/benchmark-recipe.ts';
import { applyOverrides, parseOverride, readRecipe } from '../../config/recipe-source.ts';
import { parseRecipe } from '../../config/resolve-recipe.ts';
import { recipeText } from '../../files/recipe-text.ts';
import type { CliCommand } from '../command.ts';
import { required } from '../flags.ts';
import { openingOf } from '../scoring.ts';

export const benchmarkCommand: CliCommand = {
  define: (command) => {
    command
      .argument('[recipe]', 'RECIPE.yaml')
      .argument('[overrides...]', 'key=value, such as out=benchmarks/a or training.maxSteps=10');
    command.option('--send-texts', "let the recipe's judge have users' texts on another machine");
    command.addHelpText(
      'after',
      `
Writes leaderboard.md, leaderboard.json and leaderboard.html into the recipe's "out". A benchmark that was stopped or killed
continues when it is started again: finished parts are kept, trainings are resumed. The folder holds generated texts and weights
that have learnt from users’ texts.

Example: nextquill benchmark recipes/benchmark-embedded.yaml out=benchmarks/embedded`,
    );
  },
  run: async (operands, { sendTexts }, session) => {
    const [file, ...rest] = operands;
    const path = required(file, 'RECIPE.yaml', 'Name a recipe, such as recipes/benchmark-embedded.yaml.');
    const sourced = applyOverrides(readRecipe(await recipeText(path), path), rest.map(parseOverride));
    const { judge, ...parsed } = parseRecipe(sourced, benchmarkSchema, benchmarkJsonSchema);
    if (sendTexts === true && judge === undefined)
      throw new ConfigError('--send-texts: expected a judge in the recipe, got none', {
        code: 'config/no-effect',
        hint: 'Leave the flag out, or add a judge.',
      });
    const recipe: BenchmarkRecipe = {
      ...parsed,
      ...(judge && { judge: { ...judge, ...(sendTexts === true && { sendTexts }) } }),
      ...(session.options.threads !== undefined && { threads: session.options.threads }),
    };
    const result = await benchmark(recipe, openingOf(session));
    await writeLeaderboard(resolve(recipe.out), path, result);
    session.print(session.options.json ? `${JSON.stringify(result)}\n` : benchmarkMarkdown(result));
    session.note(`leaderboard: ${join(recipe.out, 'leaderboard.html')}`);
  },
};

async function writeLeaderboard(out: string, recipe: string, result: BenchmarkResult): Promise<void> {
  const provenance = [
    ['recipe', recipe],
    ...result.boards.map(({ model, data, modelHash }): [string, string] => [
      `${model}, ${data}`,
      `model ${modelHash.slice(0, 12)}`,
    ]),
  ] as [string, string][];
  const files = {
    'leaderboard.md': benchmarkMarkdown(result),
    'leaderboard.json': `${JSON.stringify(result, null, 1)}\n`,
    'leaderboard.html': renderBenchmarkHtml(result, provenance),
  };
  for (const [name, text] of Object.entries(files))
    await writeFileAtomically(join(out, name), (written) => written.writeFile(text));
}
