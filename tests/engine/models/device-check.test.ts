/** @file The self-check of a device, and which device a choice comes to. */
import { describe, expect, it } from 'vitest';
import { checkOnDevice, compareSteps, takeDevice } from '../../../src/engine/models/device-check.ts';
import { runtimeProviders } from '../../../src/engine/runtime/version.ts';
import { hasWebgpu } from '../../support/devices.ts';

describe('the self-check', () => {
  it('passes on the processor, whose step repeats', async () => {
    const check = await checkOnDevice('cpu');
    expect(check).toMatchObject({ passed: true, gradientError: 0, loss: check.cpuLoss });
    expect(check.gradientNorm).toBeGreaterThan(0.1);
  });

  it('fails for the right loss with wrong gradients, and for none', () => {
    // The provider's empty second output of RMSNorm: a gradient norm of 3,861 for .29.
    const here = { loss: 1.3179, gradients: [0.2, 0.2] };
    expect(compareSteps({ loss: 1.3179, gradients: [2700, 2700] }, here).passed).toBe(false);
    // The norm alone would not tell.
    expect(compareSteps({ loss: 1.3179, gradients: [0.2, -0.2] }, here).passed).toBe(false);
    expect(compareSteps({ loss: 1.3179, gradients: [Number.NaN, 0.2] }, here).passed).toBe(false);
    expect(compareSteps({ loss: Number.NaN, gradients: [0.2, 0.2] }, here).passed).toBe(false);
    expect(compareSteps({ loss: 1.4, gradients: [0.2, 0.2] }, here).passed).toBe(false);
    expect(compareSteps({ loss: 1.3179, gradients: [0.2, 0.20001] }, here).passed).toBe(true);
  });

  it.skipIf(!hasWebgpu)('passes on WebGPU', async () => {
    const check = await checkOnDevice('webgpu');
    console.info(`self-check on webgpu: ${JSON.stringify(check)}`);
    expect(check.passed).toBe(true);
  });
});

describe('the device taken', () => {
  it('is the processor by name, without a reason', async () => {
    expect(await takeDevice('cpu')).toEqual({ device: 'cpu' });
  });

  it('is by auto the graphics card only where its self-check passed, else the processor, with why', async () => {
    const taken = await takeDevice('auto');
    if (taken.because === 'passed') expect(taken.device).toBe('webgpu');
    else {
      expect(hasWebgpu).toBe(false);
      expect(taken).toMatchObject({ device: 'cpu', because: expect.stringMatching(/none|failed/) });
    }
  });

  it.skipIf(runtimeProviders().bundled.includes('cuda'))(
    'is refused where the provider is not there',
    async () => {
      await expect(takeDevice('cuda')).rejects.toMatchObject({ code: 'engine/device' });
    },
  );
});
