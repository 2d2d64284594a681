/** @file The command line as a process: what each command prints, what each mistake says, and every exit code. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeModelFolder } from '../../support/model-folder.ts';
import { type CliOptions, runCli } from '../../support/run-cli.ts';

let folder: string;
const run = (words: string, options: Partial<CliOptions> = {}) =>
  runCli(words.split(' '), { cwd: folder, ...options });
const lines = (text: string) => text.trimEnd().split('\n');
const jsonLines = (text: string) => lines(text).map((line) => JSON.parse(line) as Record<string, unknown>);

/** The first example of `users.jsonl`. */
const FIRST = 's7u000000-r2';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nextquill-cli-'));
  await writeModelFolder(join(folder, 'model'));
  mkdirSync(join(folder, 'taken/runs'), { recursive: true });
  const made = await run(
    'simulate --users 12 --seed 7 --history-items 2 --split-shares 0.5,0.1,0.4 --out users.jsonl',
  );
  expect(made).toMatchObject({ code: 0, stdout: '12 examples of 12 users: users.jsonl\n' });
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('help', () => {
  it('lists every command of the interface on stdout', async () => {
    const { code, stdout, stderr } = await run('help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const names = [
      ...[
        'quickstart',
        'train',
        'effects',
        'audit',
        'explain',
        'evaluate',
        'generate',
        'simulate',
        'refute',
        'data',
      ],
      ...[
        'metrics',
        'score',
        'examples',
        'export',
        'export-pairs',
        'benchmark',
        'setup',
        'serve',
        'store',
        'doctor',
        'help',
      ],
    ];
    for (const name of names) expect(stdout).toMatch(new RegExp(`^ {2}${name} +\\S`, 'm'));
    expect(Math.max(...lines(stdout).map((line) => line.length))).toBeLessThanOrEqual(115);
  });

  it('lists no command that does not exist', async () => {
    const { stdout } = await run('help');
    expect(stdout).not.toMatch(/not yet|studio/);
  });

  it('shows the flags of a command, and those that all commands have', async () => {
    const { code, stdout } = await run('help effects');
    expect(code).toBe(0);
    for (const flag of [
      '--others',
      '--placebo',
      '--with-prompts',
      '--objective',
      '--out',
      '--max-history',
      '--json',
      '--threads',
    ])
      expect(stdout).toContain(flag);
    expect((await run('effects --help')).stdout).toBe(stdout);
    // A second word was refused in words about flags.
    expect((await run('help effects and more')).stdout).toBe(stdout);
  });

  it('prints the version of package.json', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await run('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe('wrong usage exits 2 with an error and a hint on stderr, and nothing on stdout', () => {
  const cases: readonly (readonly [words: string, message: string, hint: string])[] = [
    ['trian', 'trian: expected a command', 'Did you mean "nextquill train"?'],
    ['train --modle x', '--modle: expected a flag of train', 'Did you mean --model?'],
    ['--jsn', '--jsn: expected a flag', 'Did you mean --json?'],
    ['help trian', 'trian: expected a command', 'Did you mean "nextquill train"?'],
    ['effects --data users.jsonl', '--model: expected a value, got none', 'Name a folder'],
    ['effects --model model', '--data: expected a value, got none', 'Name the examples'],
    ['effects --model', '--model: expected a value after it', 'nextquill help effects'],
    ['effects model users.jsonl', 'effects: expected flags only, got "model"', 'nextquill help effects'],
    ['effects --model nowhere --data users.jsonl', '"nowhere", which does not exist', 'Check the path;'],
    ['effects --model m.gguf --data users.jsonl', '"m.gguf", which does not exist', 'Check the path;'],
    ['effects --model embeded --data users.jsonl', 'got "embeded"', 'Did you mean "embedded"?'],
    [
      'effects --offline --model org/name --data users.jsonl',
      'org/name: offline: expected the model in the cache',
      'Run once without --offline',
    ],
    // A mistyped path must not be sent to the hub.
    [
      'effects --model model/nowhere --data users.jsonl',
      '"model/nowhere", which does not exist',
      'owner/name',
    ],
    ['effects --model users.jsonl --data users.jsonl', 'got the file users.jsonl', 'Name the folder'],
    ['effects --model model --data sotuu', 'got "sotuu"', 'Did you mean "sotu"?'],
    ['effects --model model --data none.jsonl', 'none.jsonl: expected a readable file', 'Check the path'],
    [
      'effects --model model --data users.jsonl --out e.csv',
      'ends in .jsonl or .parquet, got "e.csv"',
      'ending',
    ],
    ['effects --model model --data users.jsonl --placebo 0', '--others: expected a whole number', '--others'],
    [
      'effects --model model --data users.jsonl --objective nextquil',
      'got "nextquil"',
      'Did you mean "nextquill"?',
    ],
    ['effects --model model --data users.jsonl --split tset', 'got "tset"', 'Did you mean "test"?'],
    [
      'effects --model model --data users.jsonl --max-tokens 4096',
      "model's 1024 positions, got 4096",
      '--max-tokens',
    ],
    [
      'effects --model model --adapter model --data users.jsonl',
      'adapter_config.json: expected a file',
      'adapter',
    ],
    [
      'evaluate --model model --data users.jsonl --candidates 1',
      '--candidates: expected a whole number of at least 2',
      '',
    ],
    ['explain --model model --data users.jsonl', '--example: expected a value, got none', 'by its id'],
    [
      'explain --model model --data users.jsonl --example s7u000000-r3',
      'got none among 12',
      `Did you mean "${FIRST}"?`,
    ],
    [
      `explain --model model --data users.jsonl --example ${FIRST} --out x.pdf`,
      '.html or .json, got "x.pdf"',
      '',
    ],
    [
      `generate --model model --data users.jsonl --example ${FIRST} --top-p 2`,
      '--top-p: expected a number from 0 to 1',
      '',
    ],
    ['simulate --users 3', '--out: expected a value, got none', 'users.jsonl'],
    ['simulate --users 3 --out u.csv', 'ends in .jsonl or .jsonl.gz, got "u.csv"', 'JSON lines'],
    ['simulate --users three --out u.jsonl', '--users: expected a whole number', 'whole number'],
    [
      'simulate --users 3 --strength 1.5 --out u.jsonl',
      '--strength: expected a number from 0 to 1',
      'from 0 to 1',
    ],
    ['simulate --users 3 --out users.jsonl', 'expected a file that does not exist yet', '--force'],
    ['train', '--model: expected a value, or a recipe that has it', 'RECIPE.yaml'],
    [
      'train --model model --data users.jsonl --objective sfd --out r',
      '--objective: expected one of',
      'Did you mean "sft"?',
    ],
    ['train none.yaml', 'none.yaml: expected a recipe, got no such file', 'recipes/'],
    ['train --resume nowhere', 'expected the manifest of a run, got no such file', 'run'],
    ['train --resume nowhere --lora-rank 2', '--resume: expected no recipe', 'start a new run'],
    // The seed was once ignored here.
    ['train --resume nowhere --seed 3', 'beside it, got --seed', 'start a new run'],
    ['quickstart --out taken', 'taken: expected a folder without runs', 'Choose another folder'],
    [
      'audit --model model --data users.jsonl',
      '--out: expected a value, got none',
      'a folder for the report',
    ],
    [
      'evaluate --model model --data users.jsonl --baseline base',
      '--baseline: expected another system than the one evaluated, got base again',
      'Name another adapter',
    ],
    ['studio', 'studio: expected a command', 'nextquill'],
    [
      'effects --model model --data users.jsonl --example x',
      '--example: expected a flag of effects',
      'nextquill help effects',
    ],
    [
      'explain --model model --data users.jsonl --example none',
      'expected an example with the id',
      'nextquill examples',
    ],
    ['examples --data users.jsonl --user s7u00000', '--user: expected a user', 'Did you mean "s7u000000"'],
  ];
  it.concurrent.each(cases)('%s', async (words, message, hint) => {
    const { code, stdout, stderr } = await run(words);
    const [error, advice] = lines(stderr);
    expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' });
    expect(error).toMatch(/^error: /);
    expect(error).toContain(message);
    expect(advice).toMatch(/^hint: ./);
    expect(advice).toContain(hint);
    expect(stderr).not.toContain('    at ');
  });

  // It advised --force, which quickstart does not take.
  it('advises --force only where the command takes it', async () => {
    const refusal = async (words: string) => {
      const { stderr } = await run(`${words} --json`);
      return (JSON.parse(lines(stderr).at(-1)!) as { error: { code: string; hint: string } }).error;
    };
    const taken = [
      await refusal('quickstart --out taken'),
      await refusal('simulate --users 3 --out users.jsonl'),
    ];
    expect(taken.map(({ code }) => code)).toEqual(['file/exists', 'file/exists']);
    expect(taken.map(({ hint }) => hint.includes('--force'))).toEqual([false, true]);
  });

  it('adds one line of JSON with --json, and the stack with --verbose', async () => {
    const { stderr } = await run('effects --model nowhere --data users.jsonl --json --verbose');
    const document = JSON.parse(lines(stderr).at(-1)!) as unknown;
    expect(document).toMatchObject({
      error: { code: 'model/missing', exitCode: 2, hint: expect.stringContaining('Check the path') },
    });
    expect(stderr).toMatch(/^ +at .*model-source/m);
  });
});

describe('bad input exits 2, names its place, and leaves nothing half-written', () => {
  const good = { id: 'a', user: 'u', query: 'q', response: 'r', history: [] };
  const cases: readonly (readonly [name: string, content: string | Buffer, place: string])[] = [
    ['a malformed line', `${JSON.stringify(good)}\n{"id": "b", \n`, 'bad.jsonl:2'],
    ['a missing field', JSON.stringify({ ...good, response: undefined }), 'bad.jsonl:1: response'],
    ['a wrong type', JSON.stringify({ ...good, history: 'none' }), 'bad.jsonl:1: history'],
    ['an empty response', JSON.stringify({ ...good, response: '' }), 'bad.jsonl:1: response'],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 'bad.jsonl:1'],
    ['duplicate ids', `${JSON.stringify(good)}\n${JSON.stringify(good)}\n`, 'bad.jsonl:2: id'],
    ['an empty file', '', 'bad.jsonl'],
    [
      'a prompt that does not fit even without history',
      JSON.stringify({ ...good, query: 'long '.repeat(2000) }),
      'example a',
    ],
  ];
  it.each(cases)('%s', async (_name, content, place) => {
    writeFileSync(join(folder, 'bad.jsonl'), content);
    const scored = await run('effects --model model --data bad.jsonl --out bad-rows.jsonl');
    expect(scored, scored.stderr).toMatchObject({ code: 2, stdout: '' });
    expect(lines(scored.stderr)[0]).toContain(place);
    const trained = await run('train --model model --data bad.jsonl --objective sft --out bad-run');
    expect(trained, trained.stderr).toMatchObject({ code: 2, stdout: '' });
    expect(lines(trained.stderr)[0]).toContain(place);
    expect(existsSync(join(folder, 'bad-rows.jsonl'))).toBe(false);
    expect(existsSync(join(folder, 'bad-run'))).toBe(false);
  });

  // train told it on stderr alone, and effects counted the example among those it had scored.
  it('a text that is too long is left out and counted, or refused where the caller is strict', async () => {
    const long = { ...good, id: 'b', query: 'long '.repeat(2000) };
    writeFileSync(join(folder, 'long.jsonl'), [good, long].map((row) => JSON.stringify(row)).join('\n'));
    const effects = 'effects --model model --data long.jsonl --out long-rows.jsonl';
    const training = 'train --model model --data long.jsonl --objective sft --lora-rank 1 --out long-run';
    for (const words of [effects, training])
      expect(await run(`${words} --strict`)).toMatchObject({ code: 2, stdout: '' });
    const scored = JSON.parse((await run(`${effects} --json`)).stdout) as object;
    expect(scored).toMatchObject({ examples: 1, leftOut: { tooLong: 1 } });
    const trained = JSON.parse((await run(`${training} --json`)).stdout) as object;
    expect(trained).toMatchObject({ steps: 1, leftOut: { tooLong: 1, first: 'b' } });
  });

  it('a model folder with a missing or a truncated file', async () => {
    for (const name of ['config.json', 'tokenizer.json', 'model.safetensors']) {
      const broken = join(folder, 'broken');
      await cp(join(folder, 'model'), broken, { recursive: true });
      truncateSync(join(broken, name), 200);
      const cut = await run('effects --model broken --data users.jsonl --json');
      expect(cut, cut.stderr).toMatchObject({ code: 2, stdout: '' });
      rmSync(join(broken, name));
      const missing = await run('effects --model broken --data users.jsonl --json');
      expect(missing, missing.stderr).toMatchObject({ code: 2, stdout: '' });
      expect(lines(missing.stderr)[0]).toContain(name);
      rmSync(broken, { recursive: true });
    }
  });
});

describe('effects', () => {
  const effects = 'effects --model model --data users.jsonl --max-examples 3 --quiet';

  it('prints one JSON line for each response token, offsets and numbers as the interface says', async () => {
    const { code, stdout, stderr } = await run(
      `${effects} --json --objective nextquill --placebo 2 --with-prompts`,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const rows = jsonLines(stdout);
    const examples = jsonLines(readFileSync(join(folder, 'users.jsonl'), 'utf8')).slice(0, 3);
    expect([...new Set(rows.map((row) => row.example))]).toEqual(examples.map(({ id }) => id));
    for (const { id, response } of examples) {
      const own = rows.filter((row) => row.example === id);
      const text = response as string;
      expect(own.map((row) => row.position)).toEqual([...own.keys()]);
      expect(own.at(-1)).toMatchObject({ start: text.length, end: text.length });
      expect(own.map((row) => text.slice(row.start as number, row.end as number)).join('')).toBe(text);
      expect(own.map((row) => row.tokenId)).toEqual(own[0]!.responseIds);
      expect(own[0]).toHaveProperty('promptIdsWithHistory');
      expect(own[1]).not.toHaveProperty('promptIdsWithHistory');
      const sum = own.reduce((total, row) => total + (row.weight as number), 0);
      expect(sum).toBeCloseTo(1, 5);
      for (const row of own) {
        const difference = (row.logProbWithHistory as number) - (row.logProbWithoutHistory as number);
        expect(row.effectLogRatio).toBeCloseTo(difference, 4);
        const parts = (row.effectPlacebo as number) + (row.effectUserSpecific as number);
        expect(parts).toBeCloseTo(difference, 4);
      }
    }
  });

  it('writes the same rows as JSON lines and as Parquet', async () => {
    expect((await run(`${effects} --out rows.jsonl`)).code).toBe(0);
    const { code, stdout } = await run(`${effects} --out rows.parquet --json`);
    const rows = jsonLines(readFileSync(join(folder, 'rows.jsonl'), 'utf8'));
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      out: 'rows.parquet',
      examples: 3,
      rows: rows.length,
      leftOut: { tooLong: 0 },
      tokensComputed: expect.any(Number) as number,
      tokensSaved: expect.any(Number) as number,
    });
    const bytes = readFileSync(join(folder, 'rows.parquet'));
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    expect(await parquetReadObjects({ file })).toEqual(rows);
  });

  it('takes the first rows of the split that is asked for', async () => {
    const { stdout } = await run(
      'effects --model model --data users.jsonl --split test --max-examples 2 --json --quiet',
    );
    const test = jsonLines(readFileSync(join(folder, 'users.jsonl'), 'utf8')).filter(
      ({ split }) => split === 'test',
    );
    const ids = new Set(jsonLines(stdout).map((row) => row.example));
    expect([...ids]).toEqual(test.slice(0, 2).map(({ id }) => id));
  });

  it('prints a summary for people, with the examples and the sum', async () => {
    const { code, stdout } = await run(effects);
    expect(code).toBe(0);
    expect(stdout).toContain(FIRST);
    expect(stdout).toMatch(
      /\d+ tokens of 3 examples, mean effect \(A\) [+−]\d\.\d{3} nats a token; .*\(C\)\n$/,
    );
  });

  it('ends quietly when the reader of its rows goes away', async () => {
    const { code, stderr } = await run('effects --model model --data users.jsonl --json --quiet', {
      onStart: (child) => child.stdout!.once('data', () => child.stdout!.destroy()),
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});

describe('explain', () => {
  const explain = `explain --model model --data users.jsonl --example ${FIRST}`;

  it('draws the response in the terminal, without escape codes in a pipe', async () => {
    const { code, stdout } = await run(explain);
    expect(code).toBe(0);
    expect(stdout).toContain(`example ${FIRST}`);
    expect(stdout).not.toContain('\u001b');
  });

  it('writes HTML or JSON by the ending, and says that texts are in it', async () => {
    const html = await run(`${explain} --out map.html`);
    expect(html).toMatchObject({ code: 0, stdout: 'map.html\n' });
    expect(html.stderr).toContain('map.html holds this user’s texts');
    expect(readFileSync(join(folder, 'map.html'), 'utf8')).toMatch(/^<!doctype html>/i);
    await run(`${explain} --out map.json`);
    const file = JSON.parse(readFileSync(join(folder, 'map.json'), 'utf8')) as object;
    expect(JSON.parse((await run(`${explain} --json`)).stdout)).toEqual(file);
  });

  it('holds no text of the user with --redact', async () => {
    const example = jsonLines(readFileSync(join(folder, 'users.jsonl'), 'utf8'))[0]!;
    const { stdout } = await run(`${explain} --redact --json`);
    const words = (example.response as string).split(/\W+/).filter((word) => word.length > 5);
    expect(words.length).toBeGreaterThan(5);
    expect(words.filter((word) => stdout.includes(word))).toEqual([]);
    expect(stdout).not.toContain('s7u000000');
  });
});

describe('evaluate', () => {
  it('scores the test rows, and prints one system with intervals', async () => {
    const { code, stdout } = await run(
      'evaluate --model model --data users.jsonl --candidates 3 --json --quiet',
    );
    expect(code).toBe(0);
    const system = JSON.parse(stdout) as Record<string, { value: number; low: number; high: number }>;
    const rows = jsonLines(readFileSync(join(folder, 'users.jsonl'), 'utf8'));
    expect(system).toMatchObject({
      name: 'model',
      examples: rows.filter(({ split }) => split === 'test').length,
    });
    for (const key of ['nllWithHistory', 'nllWithoutHistory', 'nllOtherHistory', 'authorIdentification']) {
      const { value, low, high } = system[key]!;
      expect(low).toBeLessThanOrEqual(value);
      expect(value).toBeLessThanOrEqual(high);
    }
    expect(system.authorIdentification).toMatchObject({ k: 3, matching: expect.any(String) as string });
    expect(system.tokensComputed).toBeGreaterThan(0);
    expect(system.tokensSaved).toBeGreaterThanOrEqual(0);
  });

  it('with --cache computes nothing again, and says the same', async () => {
    const words = 'evaluate --model model --data users.jsonl --candidates 3 --cache --json --quiet';
    const [first, second] = [await run(words), await run(words)].map(
      ({ stdout }) => JSON.parse(stdout) as Record<string, unknown>,
    );
    const { tokensComputed, tokensSaved, ...numbers } = second!;
    expect([tokensComputed, tokensSaved]).toEqual([0, 0]);
    expect(first).toMatchObject(numbers);
  });
});

describe('data that say little', () => {
  it('of few users are identified among fewer histories, with a warning', async () => {
    const { code, stdout, stderr } = await run(
      'evaluate --model model --data users.jsonl --split validation --json',
    );
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ authorIdentification: { k: 4 } });
    writeFileSync(
      join(folder, 'few.jsonl'),
      lines(readFileSync(join(folder, 'users.jsonl'), 'utf8'))
        .slice(0, 2)
        .join('\n')
        .replace(/"split":"\w+",?/g, ''),
    );
    const few = await run('evaluate --model model --data few.jsonl --json --quiet');
    expect(few.code, few.stderr).toBe(0);
    expect(JSON.parse(few.stdout)).toMatchObject({ authorIdentification: { k: 2 } });
    expect(few.stderr).toContain('authors are identified among 2 histories, not 4');
  });

  it('whose histories do not fit are told so once', async () => {
    const { code, stderr } = await run(
      'effects --model model --data users.jsonl --max-history 0 --json --quiet',
    );
    expect(code).toBe(0);
    expect(lines(stderr)).toEqual([expect.stringMatching(/^warning: 12 of 12 examples.*maxHistory is 0/)]);
  });
});

describe('generate', () => {
  const generate = `generate --model model --data users.jsonl --example ${FIRST} --max-new-tokens 6 --json`;

  it('repeats a draw by its seed, and strength 0 is the text without history', async () => {
    const drawn = await Promise.all([1, 2].map(() => run(`${generate} --temperature 1 --seed 5`)));
    expect(drawn[0]!.code).toBe(0);
    expect(drawn[0]!.stdout).toBe(drawn[1]!.stdout);
    const tokens = async (words: string) =>
      (JSON.parse((await run(words)).stdout) as { tokens: number[] }).tokens;
    const without = await tokens(`${generate} --without-history`);
    expect(await tokens(`${generate} --strength 0`)).toEqual(without);
    expect(await tokens(generate)).not.toEqual(without);
  });

  it('writes several texts, one line of JSON each, and stops where it is told to', async () => {
    const draw = '--temperature 1.5 --top-k 40 --top-p 0.99 --min-p 0.001 --repetition-penalty 1.1';
    const { code, stdout, stderr } = await run(`${generate} ${draw} --count 3 --seed 2`);
    expect(code, stderr).toBe(0);
    const texts = lines(stdout).map((line) => JSON.parse(line) as { sample: number; text: string });
    expect(texts.map(({ sample }) => sample)).toEqual([0, 1, 2]);
    expect(new Set(texts.map(({ text }) => text)).size).toBe(3);
    const { text } = texts[0]!;
    const stop = text.trim().slice(2, 4);
    const stopped = await run(`${generate} ${draw} --seed 2 --stop ${stop} --stop never`);
    expect(JSON.parse(stopped.stdout)).toMatchObject({
      text: text.slice(0, text.indexOf(stop)),
      finish: 'stop',
    });
    const words = await run(`${generate.replace(' --json', '')} ${draw} --seed 2 --count 2`);
    expect(words.stdout).toContain(`${FIRST}, 1 of 2\n${text}\n`);
  });
});

describe('placebo histories', () => {
  const reference = '--model model --data users.jsonl --reference placebo --quiet';

  it('are drawn for every command that the reference value asks it of', async () => {
    const effects = await run(`effects ${reference} --max-examples 1 --json`);
    expect(effects.code, effects.stderr).toBe(0);
    expect(effects.stdout).not.toContain('effectPlacebo');
    const seeds = await Promise.all(
      [0, 1, 2, 3].map((seed) => run(`effects ${reference} --max-examples 1 --json --seed ${seed}`)),
    );
    expect(seeds[0]!.stdout).toBe(effects.stdout);
    expect(new Set(seeds.map(({ stdout }) => stdout)).size).toBeGreaterThan(1);
    const evaluated = await run(`evaluate ${reference} --candidates 2`);
    expect(evaluated.code, evaluated.stderr).toBe(0);
    expect(evaluated.stdout).toContain('NLL with the reference');
    const generate = `generate ${reference} --example ${FIRST} --max-new-tokens 4 --json`;
    const placebo = await run(`${generate} --strength 0`);
    expect(placebo.code, placebo.stderr).toBe(0);
    const { tokens } = JSON.parse(placebo.stdout) as { tokens: number[] };
    const removed = await run(`${generate.replace('placebo', 'removed')} --strength 0`);
    expect((JSON.parse(removed.stdout) as { tokens: number[] }).tokens).not.toEqual(tokens);
  });
});

describe('train', () => {
  const flags = '--model model --data users.jsonl --objective nextquill --lora-rank 2 --max-steps 2';

  it('trains by flags, and its adapter is scored with the settings that it was trained with', async () => {
    const { code, stdout, stderr } = await run(`train ${flags} --max-history 1 --out run-a --json`);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      run: 'run-a',
      steps: 1,
      adapter: expect.stringContaining('run-a') as string,
      finalLoss: expect.any(Number) as number,
      peakMemoryBytes: expect.any(Number) as number,
    });
    expect(existsSync(join(folder, 'run-a/report.html'))).toBe(true);
    const evaluate =
      'evaluate --model model --adapter run-a/adapter --data users.jsonl --candidates 2 --quiet';
    expect(await run(evaluate)).toMatchObject({ code: 0, stderr: '' });
    const compared = await run(`${evaluate} --baseline base --json`);
    const { baseline, differences } = JSON.parse(compared.stdout) as {
      baseline: { name: string };
      differences: { system: string; baseline: string; measure: string; pValue: number }[];
    };
    expect(baseline.name).toBe('model');
    const read = await run(`${evaluate} --baseline base`);
    expect(read.stdout).toMatch(/^baseline +-?\d/m);
    expect(read.stdout).toContain('evaluated − baseline');
    expect(differences.map(({ measure }) => measure)).toContain('userSpecificEffect');
    for (const difference of differences) {
      expect(difference).toMatchObject({ system: 'model + run-a/adapter', baseline: 'model' });
      expect(difference.pValue).toBeGreaterThan(0);
    }
    const overridden = await run(`${evaluate} --split all --max-history 2`);
    expect(overridden.code).toBe(0);
    expect(overridden.stderr).toContain('maxHistory: 2 overrides 1');
    expect(overridden.stderr).toMatch(/6 of 12 examples were trained on/);
    // Rows of the baseline's run were once scored without a word.
    const asBaseline = `evaluate --model model --baseline run-a/adapter --data users.jsonl --split all --candidates 2`;
    expect((await run(asBaseline)).stderr).toMatch(/6 of 12 examples were trained on by the run of run-a/);
  });

  it('refuses a folder that holds a run, and resumes a finished one to the same summary', async () => {
    const first = await run(`train ${flags} --out run-b --json --quiet`);
    expect(first.code, first.stderr).toBe(0);
    rmSync(join(folder, 'run-b/report.html')); // as when the process was killed before it was written
    const again = await run(`train ${flags} --out run-b`);
    expect(again).toMatchObject({ code: 2, stdout: '' });
    const resumed = await run('train --resume run-b --json --quiet');
    expect(resumed).toEqual(first);
    expect(existsSync(join(folder, 'run-b/report.html'))).toBe(true);
  });

  it('trains by a recipe under overrides, with all weights', async () => {
    writeFileSync(
      join(folder, 'recipe.yaml'),
      'model: model\ndata: users.jsonl\nobjective: sft\nout: run-c\nlora: {rank: 2}\ntraining:\n  maxSteps: 1\n',
    );
    const { code, stdout, stderr } = await run(
      'train recipe.yaml lora= full=true training.learningRate=1e-3 --json',
    );
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      steps: 1,
      weights: expect.stringContaining('run-c') as string,
    });
    const manifest = JSON.parse(readFileSync(join(folder, 'run-c/manifest.json'), 'utf8')) as object;
    expect(manifest).toMatchObject({ recipe: { objective: 'sft', learningRate: 1e-3, maxSteps: 1 } });
    expect((await run('effects --model run-c/weights --data users.jsonl --max-examples 1')).code).toBe(0);
  });

  it('stops on Ctrl-C with 130 and a checkpoint, and resumes to the weights of a run that was never stopped', async () => {
    const long = flags.replace(
      '--max-steps 2',
      'training.epochs=4 training.batchSize=1 training.gradientAccumulation=1',
    );
    const steps = join(folder, 'run-d/steps.jsonl');
    const stopped = await run(`train ${long} --out run-d`, {
      onStart: (child) => {
        const poll = setInterval(() => {
          if (!existsSync(steps) || lines(readFileSync(steps, 'utf8')).length < 3) return;
          child.kill('SIGINT');
          clearInterval(poll);
        }, 5);
        child.once('close', () => clearInterval(poll));
      },
    });
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stdout).toBe('');
    expect(stopped.stderr).toMatch(/^stopped: run-d: stopped after step \d+ of 24$/m);
    expect(stopped.stderr).toMatch(/^hint: .*nextquill train --resume run-d/m);
    await cp(join(folder, 'run-d'), join(folder, 'run-f'), { recursive: true });
    // --threads was once ignored here.
    const threaded = await run('train --resume run-f --threads 3 --quiet');
    expect(threaded.code, threaded.stderr).toBe(0);
    expect(threaded.stderr).toContain('threads is 3 now');
    const resumed = await run('train --resume run-d --quiet');
    expect(resumed.code, resumed.stderr).toBe(0);
    expect((await run(`train ${long} --out run-e --quiet`)).code).toBe(0);
    const weights = (name: string) => readFileSync(join(folder, name, 'adapter/adapter_model.safetensors'));
    expect(weights('run-d').equals(weights('run-e'))).toBe(true);
  });
});
