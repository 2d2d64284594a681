/** @file The devices that tests run on: the processor, and WebGPU's graphics card where NEXTQUILL_WEBGPU=1. */
import type { Device } from '../../src/base/device.ts';

export const hasWebgpu = process.env.NEXTQUILL_WEBGPU === '1';

if (!hasWebgpu)
  console.warn('SKIPPED: WebGPU; set NEXTQUILL_WEBGPU=1 where there is a graphics card to run it.');

export const testedDevices: readonly Device[] = hasWebgpu ? ['cpu', 'webgpu'] : ['cpu'];
