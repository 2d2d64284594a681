/** @file Resident sizes of this process, by the same names as the PyTorch peer's. */
import { readFileSync } from 'node:fs';

/** Bytes; undefined where the system does not say. */
export interface MemoryRecord {
  readonly peakRssBytes: number;
  readonly rssBytes: number;
  /** Pages of mapped files: shared, and taken back by the system when it needs memory. */
  readonly rssFileBytes?: number;
  readonly rssAnonBytes?: number;
}

/** VmHWM, VmRSS, RssFile and RssAnon of /proc/self/status; elsewhere what `process` knows. */
export function memoryRecord(): MemoryRecord {
  if (process.platform !== 'linux')
    return { peakRssBytes: process.resourceUsage().maxRSS * 1024, rssBytes: process.memoryUsage.rss() };
  const status = readFileSync('/proc/self/status', 'ascii');
  const bytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)![1]) * 1024;
  return {
    peakRssBytes: bytes('VmHWM'),
    rssBytes: bytes('VmRSS'),
    rssFileBytes: bytes('RssFile'),
    rssAnonBytes: bytes('RssAnon'),
  };
}
