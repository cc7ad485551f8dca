import { defineConfig } from 'vitest/config';

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
    setupFiles: ['tests/property-seed.ts'],
    allowOnly: !process.env.CI,
    passWithNoTests: false,
    testTimeout: 180_000,
    hookTimeout: 240_000,
    maxWorkers: 2,
    reporters: ['default', './scripts/closing-line.ts'],
  },
});
