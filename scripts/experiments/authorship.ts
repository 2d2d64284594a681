/**
 * @file How well `textAuthorship` tells an author's held-out text from another author's: AUC with an interval over authors.
 *
 * Run: npx tsx scripts/experiments/authorship.ts MODEL simulated USERS
 *      npx tsx scripts/experiments/authorship.ts MODEL senate:FILE.jsonl.gz USERS [masked]
 * For each author u one text of u and one of another author v, both beside the history of u and those of others, none of
 * them v. `masked` replaces a senator's own name in all of the senator's texts.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { openScoredModel } from '../../src/app/open/scored-model.ts';
import { estimateText } from '../../src/base/number-format.ts';
import { randomStream } from '../../src/base/random.ts';
import { aucByUser, type UserScore } from '../../src/base/statistics/auc.ts';
import { textAuthorship } from '../../src/method/authorship/text-authorship.ts';
import type { HistoryItem } from '../../src/method/data/example.ts';
import { firstSentences } from '../../src/method/data/sentences.ts';
import { createScorer } from '../../src/method/scoring/scorer.ts';
import { simulate } from '../../src/method/simulation/simulate.ts';

interface Author {
  readonly name: string;
  readonly query: string;
  readonly text: string;
  readonly history: readonly HistoryItem[];
}

/** Real models are slow on a CPU: fewer, shorter texts for them. */
const size =
  process.argv[3] === 'simulated' ? { others: 3, items: 3, words: 80 } : { others: 2, items: 2, words: 60 };

const [model, data, count, masked] = process.argv.slice(2) as [string, string, string, string?];
const authors =
  data === 'simulated' ? simulated(Number(count)) : senators(data.replace('senate:', ''), Number(count));
const scored = await openScoredModel(model, { offline: true });
const prompt = { ...scored.prompt, reference: 'removed' as const, maxHistory: size.items };
await using scorer = createScorer(scored, { threads: 1 });
const specific: UserScore[] = [];
const total: UserScore[] = [];
const verdicts: Record<string, number> = {};
for (const [place, author] of authors.entries()) {
  const draw = randomStream(0, `experiments/authorship/${author.name}`);
  const [stranger, ...rest] = draw.shuffle(authors.toSpliced(place, 1)) as [Author, ...Author[]];
  const others = rest.slice(0, size.others).map(({ history }) => history);
  for (const { text, query, name } of [author, stranger]) {
    const positive = name === author.name;
    const result = await textAuthorship(scored, text, author.history, others, {
      ...{ prompt, query, scorer },
    });
    specific.push({ user: author.name, score: result.userSpecific.value, positive });
    total.push({ user: author.name, score: result.total.value, positive });
    const key = `${positive ? 'own' : 'another’s'}: ${result.verdict}`;
    verdicts[key] = (verdicts[key] ?? 0) + 1;
  }
  process.stderr.write(`${place + 1} of ${authors.length} authors\n`);
}
process.stdout.write(
  `${model}, ${data.split('/').at(-1)}${masked === undefined ? '' : ', names masked'}, ${authors.length} authors\n` +
    `AUC of the user-specific effect ${estimateText(aucByUser(specific), 3)}, of the total effect ${estimateText(aucByUser(total), 3)}\n` +
    `${JSON.stringify(verdicts)}\n`,
);

function simulated(users: number): Author[] {
  return simulate({ users, seed: 3_200_000, historyItems: size.items }).map(
    ({ user, query, response, history }) => ({
      ...{ name: user, query, text: response, history },
    }),
  );
}

/** The latest release of each senator, and those before it; each from the fourteenth word on, past the headline. */
function senators(file: string, users: number): Author[] {
  const lines = gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n');
  const rows = lines.map(
    (line) => JSON.parse(line) as { id: string; senator: string; date: string; text: string },
  );
  return [...new Set(rows.map(({ senator }) => senator))].slice(0, users).map((senator): Author => {
    const texts = rows
      .filter((row) => row.senator === senator)
      .sort((a, b) => (a.date < b.date ? -1 : 1))
      .slice(-(size.items + 1))
      .map(({ text }) => {
        const plain = masked === undefined ? text : text.replace(new RegExp(senator, 'gi'), 'Smith');
        return firstSentences(plain.split(' ').slice(14).join(' '), size.words);
      });
    const history = texts.slice(0, -1).map((text, n) => ({ id: `h${n}`, query: '', text }));
    return { name: senator, query: '', text: texts.at(-1)!, history };
  });
}
