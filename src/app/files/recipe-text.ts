/** @file Reads the file of a recipe. */
import { readFile } from 'node:fs/promises';
import { ConfigError } from '../../base/errors.ts';

/** @throws {ConfigError} when there is none, or it cannot be read */
export async function recipeText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigError(
      `${path}: expected a recipe, got ${cause.code === 'ENOENT' ? 'no such file' : cause.code}`,
      {
        code: 'recipe/missing-file',
        hint: 'Name a YAML file, such as one of the folder recipes/.',
        cause,
      },
    );
  });
}
