/** @file The audit as JSON: what `audit --json` prints and `audit.json` holds. */

import type { AuditResult } from '../../method/audit/results.ts';
import { type EffectMapJson, effectMapJson } from '../heat-map/effect-map-json.ts';
import { answerOf } from './answer.ts';
import { caveatsOf } from './caveats.ts';
import { redactAudit } from './redact-audit.ts';

/** The result with its heat maps as `explain --json` writes them; every measured number is value, low, high. */
export interface AuditJson extends Omit<AuditResult, 'maps'> {
  /** The answer in three sentences. */
  readonly answer: readonly string[];
  readonly caveats: readonly string[];
  readonly maps: { readonly most: readonly EffectMapJson[]; readonly least: readonly EffectMapJson[] };
}

/**
 * The audit as a plain object for JSON.stringify.
 * @param options.redact texts replaced by their lengths, names by numbers; default false
 */
export function auditJson(audit: AuditResult, { redact = false }: { redact?: boolean } = {}): AuditJson {
  const shown = redact ? redactAudit(audit) : audit;
  const json = (maps: AuditResult['maps']['most']) => maps.map((map) => effectMapJson(map));
  return {
    ...shown,
    answer: answerOf(shown),
    caveats: caveatsOf(shown),
    maps: { most: json(shown.maps.most), least: json(shown.maps.least) },
  };
}
