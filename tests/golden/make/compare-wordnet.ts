/**
 * @file Compares our synonyms with those of NLTK's reader on a real WordNet, for every single-word lemma and inflections of it.
 *
 * Run: npx tsx tests/golden/make/compare-wordnet.ts FOLDER PYTHON   (PYTHON has nltk 3.9.1; FOLDER holds index.*, data.*, *.exc)
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { wordNetFromFolder } from '../../../src/method/metrics/wordnet.ts';

const [folder, python] = process.argv.slice(2) as [string, string];
const lemmas = ['noun', 'verb', 'adj', 'adv'].flatMap((part) =>
  readFileSync(join(folder, `index.${part}`), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(' '))
    .map((line) => line.split(' ')[0]!)
    .filter((lemma) => !lemma.includes('_')),
);
const endings = ['s', 'es', 'ies', 'ed', 'ing', 'er', 'est', 'men', 'ches'];
const words = [...new Set(lemmas.flatMap((lemma, n) => [lemma, lemma + endings[n % endings.length]!]))];
const script = `
import json, sys, warnings
warnings.simplefilter("ignore")
from nltk.corpus.reader.wordnet import WordNetCorpusReader
class Reader(WordNetCorpusReader):
    def map_wn(self, version="wordnet"):
        return None
reader = Reader(sys.argv[1], None)
for word in json.load(sys.stdin):
    print(json.dumps(sorted({l.name() for s in reader.synsets(word) for l in s.lemmas() if "_" not in l.name()})))
`;
const { stdout, stderr } = spawnSync(python, ['-c', script, folder], {
  input: JSON.stringify(words),
  encoding: 'utf8',
  maxBuffer: 1 << 30,
});
if (stderr !== '') process.stderr.write(stderr);
const synonyms = await wordNetFromFolder(folder);
const theirs = stdout.trim().split('\n');
const differing = words.filter(
  (word, n) =>
    JSON.stringify([...synonyms(word)].sort()) !==
    JSON.stringify((JSON.parse(theirs[n]!) as string[]).sort()),
);
const found = words.filter((word) => synonyms(word).size > 0).length;
process.stdout.write(
  `${words.length} words, ${found} of them found, ${differing.length} with other synonyms than NLTK's ${differing.slice(0, 5).join(' ')}\n`,
);
