/** @file Settings as a line of labels and values, where JSON would show code to a reader. */

/** `learning rate 0.0002, batch size 4`: keys of settings as words. */
export function settingsText(settings: object): string {
  return Object.entries(settings)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${wordsOf(key)} ${valueText(value)}`)
    .join(', ');
}

const wordsOf = (key: string) => key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function valueText(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (Array.isArray(value)) return value.map(valueText).join(' ');
  return typeof value === 'object' && value !== null ? `(${settingsText(value)})` : String(value);
}
