/** @file Names of devices. */
import { expect, it } from 'vitest';
import { checkDevice, deviceChoices } from '../../src/base/device.ts';

it('takes the names that there are, and suggests the nearest of others', () => {
  for (const name of deviceChoices) expect(() => checkDevice(name)).not.toThrow();
  expect(() => checkDevice('webgpuu')).toThrow(
    expect.objectContaining({ code: 'config/device', hint: expect.stringContaining('"webgpu"') }),
  );
  expect(() => checkDevice(undefined)).toThrow(expect.objectContaining({ code: 'config/device' }));
});
