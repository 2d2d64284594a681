/** @file Which files of a hub repository a model needs: nothing else is downloaded. */

export const WEIGHTS_FILE = 'model.safetensors';

/** Files that change prompts or generation where a repository has them. */
export const optionalFiles = ['tokenizer_config.json', 'generation_config.json', 'chat_template.jinja'];

/** Small files that other tools want beside a model that is exported. */
const companions = ['special_tokens_map.json', 'added_tokens.json'];

/** Files wanted besides the weights, of those that a repository has. */
export const wantedFiles: readonly string[] = [
  'config.json',
  'tokenizer.json',
  ...optionalFiles,
  ...companions,
];

/** The shards that an index file names, each once; undefined when it is no such index. */
export function shardsOf(index: string): string[] | undefined {
  let json: { weight_map?: unknown } | null;
  try {
    json = JSON.parse(index) as typeof json;
  } catch {
    return undefined;
  }
  const map = json?.weight_map;
  if (map === null || typeof map !== 'object') return undefined;
  const names = [...new Set(Object.values(map))];
  return names.length > 0 && names.every(isPlainName) ? names : undefined;
}

/** Whether a name is a file of its folder and no way out of it. */
export const isPlainName = (name: unknown): name is string =>
  typeof name === 'string' && /^[\w-][\w.-]*$/.test(name);
