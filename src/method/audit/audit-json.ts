/** @file The audit as JSON: what `audit --json` prints and `audit.json` holds. */
import { type EffectMapJson, effectMapJson } from '../explain/effect-map-json.ts';
import { redactAudit } from './redact.ts';
import type { AuditResult } from './results.ts';

/** The result with its heat maps as `explain --json` writes them; every measured number is value, low, high. */
export interface AuditJson extends Omit<AuditResult, 'maps'> {
  readonly maps: { readonly most: readonly EffectMapJson[]; readonly least: readonly EffectMapJson[] };
}

/**
 * The audit as a plain object for JSON.stringify.
 * @param options.redact texts replaced by their lengths, names by numbers; default false
 */
export function auditJson(audit: AuditResult, { redact = false }: { redact?: boolean } = {}): AuditJson {
  const shown = redact ? redactAudit(audit) : audit;
  const json = (maps: AuditResult['maps']['most']) => maps.map((map) => effectMapJson(map));
  return { ...shown, maps: { most: json(shown.maps.most), least: json(shown.maps.least) } };
}
