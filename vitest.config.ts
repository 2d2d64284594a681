import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    testTimeout: 60_000,
    // Two cores: ONNX Runtime uses both inside one test, so more workers only fight over them.
    maxWorkers: 2,
    reporters: process.env.CI ? ['default'] : ['default'],
  },
});
