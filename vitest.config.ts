import path from 'node:path';
import { defineConfig } from 'vitest/config';

// As for users of `bin/holdfast`: what a test starts is compiled once, not by each of some thousand processes.
const compiled = path.join(import.meta.dirname, 'node_modules/.cache/holdfast-compiled');

export default defineConfig({
  test: {
    pool: 'forks',
    include: [
      'src/**/*.test.ts',
      'tests/**/*.test.ts',
      'examples/**/*.test.ts',
      'bench/**/*.test.ts',
    ],
    exclude: ['tests/architecture/planted/**', '**/node_modules/**'],
    env: { NODE_COMPILE_CACHE: compiled },
    setupFiles: ['tests/property-seed.ts'],
    allowOnly: !process.env.CI,
    passWithNoTests: false,
    testTimeout: 180_000,
    hookTimeout: 240_000,
    maxWorkers: 2,
    reporters: ['default', './scripts/closing-line.ts'],
  },
});
