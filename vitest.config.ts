import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    testTimeout: 60_000,
    // Tests leave nothing in the user's own cache.
    env: { NEXTQUILL_CACHE: process.env.NEXTQUILL_CACHE ?? join(tmpdir(), 'nextquill-test-cache') },
    // Two cores: ONNX Runtime uses both inside one test, so more workers only fight over them.
    maxWorkers: 2,
    reporters: process.env.CI ? ['default'] : ['default'],
  },
});
