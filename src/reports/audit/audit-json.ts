/** @file The audit as JSON: what `audit --json` prints and `audit.json` holds. */

import { type AuditFinding, auditFindings } from '../../method/audit/findings.ts';
import type { AuditResult } from '../../method/audit/results.ts';
import { type EffectMapJson, effectMapJson } from '../heat-map/effect-map-json.ts';
import { matchingText } from '../text/matching-text.ts';
import { generalCaveats, isAnswer, saidFindings } from './audit-words.ts';
import { redactAudit } from './redact-audit.ts';

/** The result with its heat maps as `explain --json` writes them; every measured number is value, low, high. */
export interface AuditJson extends Omit<AuditResult, 'maps' | 'matching'> {
  readonly matching: string;
  readonly findings: readonly AuditFinding[];
  /** The answer in sentences. */
  readonly answer: readonly string[];
  readonly caveats: readonly string[];
  readonly maps: { readonly most: readonly EffectMapJson[]; readonly least: readonly EffectMapJson[] };
}

/**
 * The audit as a plain object for JSON.stringify.
 * @param options - `redact`: texts replaced by their lengths, names by numbers; default false
 */
export function auditJson(audit: AuditResult, { redact = false }: { redact?: boolean } = {}): AuditJson {
  const shown = redact ? redactAudit(audit) : audit;
  const json = (maps: AuditResult['maps']['most']) => maps.map((map) => effectMapJson(map));
  const said = saidFindings(shown);
  return {
    ...shown,
    matching: matchingText(shown.matching),
    findings: auditFindings(shown),
    answer: said.filter(isAnswer).map(({ text }) => text),
    caveats: [...said.filter((each) => !isAnswer(each)).map(({ text }) => text), ...generalCaveats],
    maps: { most: json(shown.maps.most), least: json(shown.maps.least) },
  };
}
