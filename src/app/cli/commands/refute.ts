/** @file `nextquill refute`: tries to refute the effect of the histories; exit code 3 when a test fails. */

import { join } from 'node:path';
import { writeFileAtomically } from '../../../base/atomic-file.ts';
import { makeFolder } from '../../../base/atomic-folder.ts';
import { ContractError } from '../../../base/errors.ts';
import { checkFolderPlace } from '../../../base/output-place.ts';
import type { OthersBy } from '../../../method/others/similar.ts';
import { refute } from '../../../method/refutation/refute.ts';
import type { Refutation } from '../../../method/refutation/results.ts';
import { renderRefutationHtml } from '../../../reports/refutation/refutation-html.ts';
import { refutationJson } from '../../../reports/refutation/refutation-json.ts';
import { refutationTable } from '../../../reports/refutation/refutation-summary.ts';
import { matchingText } from '../../../reports/text/matching-text.ts';
import { portableName } from '../../../reports/text/portable-name.ts';
import { remoteText } from '../../../reports/text/remote-text.ts';
import { settingsText } from '../../../reports/text/settings-text.ts';
import type { CliCommand, Session } from '../command.ts';
import { addEngineFlags } from '../engine.ts';
import {
  addCacheFlag,
  addDataFlags,
  addEmbeddingsFlag,
  addFlag,
  addForceFlag,
  addModelFlags,
  addOthersFlag,
  addSplitFlag,
  addStrictFlag,
} from '../flags.ts';
import { addRemoteFlags } from '../remote-flags.ts';
import { openCache, openHeldOut, type Scoring, type ScoringFlags, scoredTokens } from '../scoring.ts';

const PAGE_FILE = 'refutation.html';
const JSON_FILE = 'refutation.json';

interface RefuteFlags extends ScoringFlags {
  readonly others?: number;
  readonly othersBy?: OthersBy;
  readonly cache?: boolean;
  readonly out?: string;
  readonly force?: boolean;
}

export const refuteCommand: CliCommand = {
  define: (command) => {
    addModelFlags(command);
    addEmbeddingsFlag(command);
    addEngineFlags(command);
    addRemoteFlags(command);
    addDataFlags(command);
    addSplitFlag(command, 'test where the data has splits');
    addStrictFlag(command);
    addOthersFlag(command, ' (default: 3)', 2);
    addFlag(command, '--out <folder>', 'write refutation.html and refutation.json there');
    addForceFlag(command);
    addCacheFlag(command);
    command.addHelpText(
      'after',
      '\nEach test has an expected result and passes, fails, or cannot tell, by its 95 % interval over users.' +
        '\nExit code 3 when one fails.\n\nExample: nextquill refute --model embedded --data users.jsonl --out refutation',
    );
  },
  run: async (_operands, flags, session) => {
    const given = flags as RefuteFlags;
    const { out, force } = given;
    if (out !== undefined) await checkFolderPlace(out, [PAGE_FILE, JSON_FILE], { force });
    const scoring = await openHeldOut(given, 'test', session);
    const { opened, rows, all } = scoring;
    const { seed, threads, json } = session.options;
    const tokens = scoredTokens(session);
    const refutation = await refute(opened, rows, {
      prompt: opened.prompt,
      pool: all,
      ...(given.strict && { strict: true }),
      ...(given.others !== undefined && { others: given.others }),
      ...(given.othersBy && { othersBy: given.othersBy }),
      ...(seed !== undefined && { seed }),
      ...(threads !== undefined && { threads }),
      ...(given.cache && { cache: await openCache(session) }),
      onTokens: tokens.onTokens,
      signal: session.signal,
      onProgress: session.progress,
    });
    const written = refutationJson(opened.name, refutation);
    const document = `${JSON.stringify(written)}\n`;
    if (out !== undefined) await writeFolder(out, document, refutation, scoring, session);
    if (json) session.print(`${JSON.stringify({ ...written, ...tokens.total() })}\n`);
    else {
      session.print(`${opened.name}: ${refutationTable(refutation)}`);
    }
    tokens.note();
    throwWhereItFails(refutation);
  },
};

async function writeFolder(
  out: string,
  document: string,
  refutation: Refutation,
  { opened, source }: Scoring,
  session: Session,
): Promise<void> {
  const html = renderRefutationHtml(refutation, [
    ['Model', `${portableName(opened.name)}, hash ${opened.model.hash.slice(0, 12)}`],
    ...(refutation.remote ? [['Server', remoteText(refutation.remote)] as const] : []),
    ['Data', portableName(source)],
    ['Prompt', settingsText(opened.prompt)],
    [
      'Other users’ histories',
      `${refutation.others} for each text, matched in ${matchingText(refutation.matching)}`,
    ],
    ['Seed', String(session.options.seed ?? 0)],
  ]);
  await makeFolder(out);
  const page = join(out, PAGE_FILE);
  await writeFileAtomically(page, (file) => file.writeFile(html));
  await writeFileAtomically(join(out, JSON_FILE), (file) => file.writeFile(document));
  session.note(`report  ${page}`);
}

/** @throws {ContractError} when a test fails */
function throwWhereItFails({ tests }: Refutation): void {
  const failed = tests.filter(({ verdict }) => verdict === 'fails').map(({ name }) => name);
  if (failed.length === 0) return;
  throw new ContractError(
    `refutation: expected no test of ${tests.length} to fail, got ${failed.length} that did: ${failed.join(', ')}`,
    {
      code: 'refutation/fails',
      hint: 'Do not rely on these effects before you know why; each test says what it found.',
    },
  );
}
