/** @file Names of models and data in reports that travel: a path on this machine says no more than its last part. */

/** `/home/me/runs/a/adapter` as `a/adapter`, `/data/users.jsonl` as `users.jsonl`; what is no absolute path stays. */
export function portableName(name: string): string {
  return name.split(' + ').map(portablePart).join(' + ');
}

const ABSOLUTE = /^(acl:)?(?:[/\\]|~[/\\]|[A-Za-z]:[/\\]|file:\/\/)/;

/** Folders of a run that are all named alike. */
const ALIKE = new Set(['adapter', 'weights']);

function portablePart(part: string): string {
  const match = ABSOLUTE.exec(part);
  if (match === null) return part;
  const steps = part.split(/[/\\]/).filter((step) => step !== '');
  const last = steps.at(-1) ?? '';
  const shown = ALIKE.has(last) ? steps.slice(-2).join('/') : last;
  return `${match[1] ?? ''}${shown}`;
}
