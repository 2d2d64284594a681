/** @file Audits a file of examples, and prints what only a user's own history does: npx tsx examples/audit.ts FILE.jsonl [MODEL] */
import { writeFile } from 'node:fs/promises';
import { audit, noticeText, open, readExamples, renderAuditHtml } from '../src/index.ts'; // outside this repository: from 'nextquill'

const [data = 'users.jsonl', source = 'embedded'] = process.argv.slice(2);

const model = await open(source);
const examples = await readExamples(data, { onNotice: (notice) => console.warn(noticeText(notice)) });
const result = await audit(model, examples, { others: 3, maps: 1, seed: 0 });

const { value, low, high } = result.effects.userSpecific;
console.log(`${result.texts} texts of ${result.users} users`);
console.log(`C = ${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}] nats a token`);
console.log(
  low > 0 ? "A user's own history does more than another's." : 'No effect of the own history was shown.',
);

await writeFile('audit.html', renderAuditHtml(result));
console.log('audit.html');
