/** @file How much memory the process has needed: the one number that steps and summaries report. */

/**
 * Peak resident size of this process since it began, bytes. Pages of mapped weight files that were touched count too,
 * and so does whatever the process did before the run.
 */
export function peakMemoryBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}
