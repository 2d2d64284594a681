/** @file Documents are held to the code: links lead somewhere, paths exist, commands parse, code blocks use what there is. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseArguments } from '../../src/app/cli/program.ts';
import * as api from '../../src/index.ts';

const root = resolve(import.meta.dirname, '../..');

/** Lab books keep the commands and paths of their day. */
const isLabBook = (path: string) => /^(docs\/(log|results)\.md|CHANGELOG\.md)$/.test(path);

interface Document {
  /** Path from the root, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly { readonly language: string; readonly code: string }[];
}

const markdownBelow = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    // The API reference is made from the docstrings.
    .filter((path) => !path.startsWith('docs/api/'));

const documents: readonly Document[] = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...['docs', 'bench', 'src', 'scripts', 'tests', 'examples'].flatMap(markdownBelow),
].map((path) => {
  const text = readFileSync(join(root, path), 'utf8');
  const blocks = [...text.matchAll(/^```(\S*)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({
    language: language!,
    code: code!,
  }));
  return { path, text, blocks };
});

/** GitHub's anchor of a heading. */
const anchorOf = (heading: string) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[`*]/g, '')
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');

const anchorsOf = (text: string) =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!));

/** What breaks a rule, by document. */
const offences = (rule: (document: Document) => readonly string[]) =>
  documents.flatMap((document) => rule(document).map((what) => `${document.path}: ${what}`));

/** The words of a line of a shell; comments, redirections and what follows a pipe are left out. */
function shellWords(line: string): string[] {
  const words = [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c!);
  const end = words.findIndex((word) => /^(#|\||>|2>|&&|;)/.test(word));
  return end < 0 ? words : words.slice(0, end);
}

/** The calls of `nextquill` in the shell blocks and the inline code of a document, as words after its name. */
const callsOf = ({ text, blocks }: Document) =>
  [
    ...blocks
      .filter(({ language }) => language === 'sh')
      .flatMap(({ code }) => code.replaceAll('\\\n', ' ').split('\n'))
      .flatMap((line) => line.split('&&')),
    ...[...text.matchAll(/`((?:npx )?nextquill [^`]+)`/g)].map(([, code]) => code!.replace(' …', '')),
  ]
    .map(shellWords)
    .map((words) => words.slice(words[0] === 'npx' ? 1 : 0))
    .filter(([name]) => name === 'nextquill')
    .map((words) => words.slice(1));

describe('documents', () => {
  it('are found, with their code, or every rule here would hold of nothing', () => {
    expect(documents.map(({ path }) => path)).toContain('docs/method.md');
    expect(documents.flatMap(callsOf).length).toBeGreaterThan(10);
    expect(shellWords(`nextquill data csv a.csv --query "Review of {title}" > b # c`)).toEqual([
      ...['nextquill', 'data', 'csv', 'a.csv', '--query', 'Review of {title}'],
    ]);
  });

  it('link to files and headings that are there', () => {
    expect(
      offences(({ path, text }) =>
        [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
          if (/^[a-z]+:/.test(link!)) return [];
          const [file, anchor] = link!.split('#') as [string, string?];
          const target = file === '' ? join(root, path) : resolve(root, dirname(path), file);
          if (!existsSync(target)) return [link!];
          if (anchor === undefined) return [];
          return anchorsOf(readFileSync(target, 'utf8')).includes(anchor) ? [] : [link!];
        }),
      ),
    ).toEqual([]);
  });

  it('name files of the project that are there', () => {
    expect(
      offences(({ path, text }) =>
        isLabBook(path)
          ? []
          : [...text.matchAll(/`((?:src|tests|docs|scripts|recipes|bench|examples)\/[\w./-]+)`/g)]
              .map(([, name]) => name!)
              .filter((name) => !existsSync(join(root, name))),
      ),
    ).toEqual([]);
  });

  it('name files of the method that are there, in the page of the method', () => {
    const { text } = documents.find(({ path }) => path === 'src/method/README.md')!;
    const names = [...text.matchAll(/`([a-z-]+\/[\w./-]*)`/g)].map(([, name]) => name!);
    const isThere = (name: string) =>
      ['src/method', 'tests/method', '.'].some((folder) => existsSync(join(root, folder, name)));
    expect(names.length).toBeGreaterThan(40);
    expect(names.filter((name) => !isThere(name))).toEqual([]);
  });

  it('show commands that the command line reads', async () => {
    const refused: string[] = [];
    for (const document of documents) {
      if (isLabBook(document.path)) continue;
      for (const words of callsOf(document)) {
        const why = await parseArguments(words, '0').then(
          () => undefined,
          (error: Error) => error.message,
        );
        if (why !== undefined) refused.push(`${document.path}: nextquill ${words.join(' ')}: ${why}`);
      }
    }
    expect(refused).toEqual([]);
  });

  it('show JSON that parses, and imports that the package exports', () => {
    expect(
      offences(({ blocks }) =>
        blocks.flatMap(({ language, code }) => {
          if (language === 'json') {
            try {
              JSON.parse(code);
              return [];
            } catch (error) {
              return [(error as Error).message];
            }
          }
          if (language !== 'ts') return [];
          return [...code.matchAll(/import \{([^}]*)\} from 'nextquill'/g)]
            .flatMap(([, names]) => names!.split(','))
            .map((name) => name.trim())
            .filter((name) => name !== '' && !name.startsWith('type ') && !(name in api));
        }),
      ),
    ).toEqual([]);
  });
});
