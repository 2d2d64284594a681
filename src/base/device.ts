/** @file What a model is computed on, by the names that options, recipes and flags share. */
import { checkName } from './errors.ts';

/** What graphs run on: the processor, a graphics card through WebGPU, or NVIDIA's through CUDA. */
export const devices = ['cpu', 'webgpu', 'cuda'] as const;
/** What a session computes on. */
export type Device = (typeof devices)[number];

/** What PyTorch computes on: `cuda` is ROCm's name, too; `xpu` is Intel's, `mps` Apple's. */
export const torchDevices = ['cpu', 'cuda', 'xpu', 'mps'] as const;

/** What a caller may ask for; `auto` is the graphics card where its self-check passes, else the processor. */
export const deviceChoices = [...devices, 'auto'] as const;
/** What a user may ask a session to compute on. */
export type DeviceChoice = (typeof deviceChoices)[number];

/** Every name that one of the engines takes. */
export const deviceNames = [...new Set([...deviceChoices, ...torchDevices])];
export type DeviceName = (typeof deviceNames)[number];

/** What a caller may ask PyTorch for; `auto` is the first of cuda, xpu and mps that is there, else the processor. */
export const torchDeviceChoices = ['auto', ...torchDevices] as const;

/**
 * Checks the name of a device, from whatever place it comes.
 * @param place what holds it, for the message
 * @throws {ConfigError} `config/device`
 */
export function checkDevice(device: unknown, place = 'device'): asserts device is DeviceChoice {
  checkName(device, deviceChoices, { place, code: 'config/device', fallback: 'cpu' });
}
