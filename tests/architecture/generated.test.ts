/** Generated files are as they would be made now (npm run generate). */
import fs from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { apiFiles } from '../../scripts/generate-api.ts';
import { schemaFiles } from '../../scripts/generate-schema.ts';

const root = path.resolve(import.meta.dirname, '../..');

test.each([
  ['the API', apiFiles],
  ["holdfast.yaml's schema", schemaFiles],
])('files made from %s have not drifted', async (_what, made) => {
  const files = await made();
  expect(files.length).toBeGreaterThan(0);
  for (const { file, text } of files) {
    expect(await fs.readFile(path.join(root, file), 'utf8'), file).toBe(text);
  }
});
