/** @file `nextquill audit`: does the history matter, for whom, where, and by how much more than another user's would. */

import { join } from 'node:path';
import { writeFileAtomically } from '../../../base/atomic-file.ts';
import { makeFolder } from '../../../base/atomic-folder.ts';
import { checkFolderPlace } from '../../../base/output-place.ts';
import { audit } from '../../../method/audit/audit.ts';
import type { AuditResult } from '../../../method/audit/results.ts';
import type { OthersBy } from '../../../method/others/similar.ts';
import type { TokenCount } from '../../../method/scoring/token-count.ts';
import { renderAuditHtml } from '../../../reports/audit/audit-html.ts';
import { auditJson } from '../../../reports/audit/audit-json.ts';
import { renderAuditTerminal } from '../../../reports/audit/audit-table.ts';
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
  addRedactFlag,
  addSplitFlag,
  addStrictFlag,
  required,
  wholeNumber,
} from '../flags.ts';
import { addRemoteFlags } from '../remote-flags.ts';
import { openCache, openHeldOut, type ScoringFlags, scoredTokens } from '../scoring.ts';

const REPORT_FILE = 'report.html';
const JSON_FILE = 'audit.json';

interface AuditFlags extends ScoringFlags {
  readonly out?: string;
  readonly others?: number;
  readonly othersBy?: OthersBy;
  readonly maps?: number;
  readonly redact?: boolean;
  readonly cache?: boolean;
  readonly force?: boolean;
}

export const auditCommand: CliCommand = {
  define: (command) => {
    addModelFlags(command);
    addEmbeddingsFlag(command);
    addEngineFlags(command);
    addRemoteFlags(command);
    addDataFlags(command);
    addSplitFlag(command, 'test where the data has splits');
    addStrictFlag(command);
    addFlag(command, '--out <folder>', 'where report.html, audit.json and the scores go');
    addForceFlag(command);
    addCacheFlag(command);
    addOthersFlag(command, ' (default: 3, or as many as there are users)');
    addFlag(
      command,
      '--maps <n>',
      'heat maps of the most and least personal texts, with their items (default: 4)',
      (flag) => wholeNumber(flag, 0),
    );
    addRedactFlag(command);
    command.addHelpText(
      'after',
      '\nExample: nextquill audit --model embedded --data sotu --max-examples 100 --out audits/sotu\n' +
        'To resume a stopped audit, run it again with the same --out.',
    );
  },
  run: async (_operands, flags, session) => {
    const {
      out,
      others,
      othersBy,
      maps,
      redact = false,
      force,
      cache: useCache,
      ...given
    } = flags as AuditFlags;
    const folder = required(out, '--out', 'Name a folder for the report.');
    await checkFolderPlace(folder, [REPORT_FILE, JSON_FILE], { force });
    const { opened, rows, all } = await openHeldOut(given, 'test', session);
    await makeFolder(folder);
    const { seed, threads } = session.options;
    const tokens = scoredTokens(session);
    const result = await audit(opened, rows, {
      prompt: opened.prompt,
      modelName: opened.name,
      pool: all,
      ...(given.strict && { strict: true }),
      store: join(folder, 'scores.jsonl'),
      ...(others !== undefined && { others }),
      ...(othersBy && { othersBy }),
      ...(maps !== undefined && { maps }),
      ...(seed !== undefined && { seed }),
      ...(threads !== undefined && { threads }),
      ...(useCache && { cache: await openCache(session) }),
      onTokens: tokens.onTokens,
      signal: session.signal,
      onProgress: session.progress,
    });
    await write(folder, result, { redact, tokens: tokens.total() }, session);
    tokens.note();
  },
};

async function write(
  folder: string,
  result: AuditResult,
  { redact, tokens }: { readonly redact: boolean; readonly tokens: TokenCount },
  session: Session,
): Promise<void> {
  const json = auditJson(result, { redact });
  const report = join(folder, REPORT_FILE);
  await writeFileAtomically(join(folder, JSON_FILE), (file) =>
    file.writeFile(`${JSON.stringify(json, null, 2)}\n`),
  );
  await writeFileAtomically(report, (file) => file.writeFile(renderAuditHtml(result, { redact })));
  if (session.options.json) session.print(`${JSON.stringify({ ...json, ...tokens, report })}\n`);
  else session.print(`${renderAuditTerminal(result, { redact })}${report}\n`);
  if (!redact)
    session.note(`${folder} holds users’ texts and names; --redact replaces them by lengths and numbers.`);
}
