/** @file Names of models on the Hugging Face hub, as users type them and as runs record them: owner/name@revision. */

export interface HubId {
  /** Owner and name, such as `HuggingFaceTB/SmolLM2-135M-Instruct`. */
  readonly repo: string;
  /** A branch, a tag, or the 40 hexadecimal digits of a commit. */
  readonly revision?: string;
}

/** The parts of `owner/name` or `owner/name@revision`; undefined for what cannot be one. */
export function parseHubId(text: string): HubId | undefined {
  const match = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@([\w-][\w./-]*))?$/.exec(text);
  if (match === null || /\.\./.test(text) || /\.(gguf|safetensors)$/.test(match[1]!)) return undefined;
  const [, repo, revision] = match;
  return { repo: repo!, ...(revision !== undefined && { revision }) };
}

/** Whether a revision is a commit, which never changes. */
export const isCommit = (revision: string | undefined): revision is string =>
  revision !== undefined && /^[0-9a-f]{40}$/.test(revision);

/** The base of an adapter as PEFT names it: of a model of the hub the id, and the commit beside it; else the source. */
export function adapterBase(source: string): { baseModel: string; revision?: string } {
  const { repo, revision } = parseHubId(source) ?? {};
  return repo !== undefined && isCommit(revision) ? { baseModel: repo, revision } : { baseModel: source };
}
