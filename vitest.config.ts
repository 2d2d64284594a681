import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: 'tests/support/temporary-folder.ts',
    // Generous: they end hung tests, and say nothing of speed on a busy machine.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Tests leave nothing in the user's own cache.
    env: { NEXTQUILL_CACHE: process.env.NEXTQUILL_CACHE ?? join(tmpdir(), 'nextquill-test-cache') },
    // Two cores: ONNX Runtime uses both inside one test, so more workers only fight over them.
    maxWorkers: 2,
    // Files share what they import: loading it anew for each took a fifth of the processor time of all tests. So a test that
    // changes the environment or a prototype puts it back.
    isolate: false,
    restoreMocks: true,
  },
});
