/** @file Jinja templates of model folders, rendered as transformers renders them. Templates are untrusted: time and ranges are limited. */
import { runInNewContext } from 'node:vm';
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';

/** A chat template renders in milliseconds. One that takes longer than this never ends. */
const RENDER_MS = 2000;

/** The longest `range`, as in the sandbox of Python's Jinja. */
const MOST_RANGE = 100_000;

/**
 * The text of a template.
 * @param source Jinja; line ends of Windows count as `\n`, as in Python's Jinja
 * @param variables what the template can name
 * @throws {Error} when the template is not valid Jinja, raises an error of its own, or takes longer than two seconds
 */
export function renderJinja(source: string, variables: Readonly<Record<string, unknown>>): string {
  const render = () => {
    const tokens = tokenize(source.replace(/\r\n?/g, '\n'), { lstrip_blocks: true, trim_blocks: true });
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...GLOBALS, ...variables })) environment.set(name, value);
    return String(new Interpreter(environment).run(parse(tokens)).value);
  };
  // In a context of its own, since only there code that never ends can be stopped.
  return runInNewContext('render()', { render }, { timeout: RENDER_MS }) as string;
}

const GLOBALS: Readonly<Record<string, unknown>> = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  raise_exception: (message: string) => {
    throw new Error(message);
  },
  range,
  strftime_now: fixedDate,
};

function range(first: number, last?: number, step = 1): number[] {
  const [from, to] = last === undefined ? [0, first] : [first, last];
  if (step === 0) throw new Error('range: expected a step other than 0, got 0');
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (!(length <= MOST_RANGE))
    throw new Error(`range: expected at most ${MOST_RANGE} numbers, got ${length}`);
  return Array.from({ length }, (_, i) => from + i * step);
}

/**
 * Templates that write today's date get one fixed day, the default of Llama 3.2's own template: a prompt that changed
 * overnight would change scores, and would no longer be the prompt of training.
 */
const TODAY = new Date(Date.UTC(2024, 6, 26));

/** The fixed day in the formats of C's strftime that templates use; others stay as they are. */
function fixedDate(format: string): string {
  const part = (options: Intl.DateTimeFormatOptions) =>
    TODAY.toLocaleDateString('en-US', { ...options, timeZone: 'UTC' });
  const parts: Readonly<Record<string, string>> = {
    '%Y': part({ year: 'numeric' }),
    '%m': part({ month: '2-digit' }),
    '%d': part({ day: '2-digit' }),
    '%b': part({ month: 'short' }),
    '%B': part({ month: 'long' }),
    '%a': part({ weekday: 'short' }),
    '%A': part({ weekday: 'long' }),
    '%H': '00',
    '%M': '00',
    '%S': '00',
  };
  return format.replace(/%[A-Za-z]/g, (code) => parts[code] ?? code);
}
