/** Writes every file that is made from others (`npm run generate`). Tests fail where one isn't as it would be made. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { apiFiles } from './generate-api.ts';
import { schemaFiles } from './generate-schema.ts';

const root = path.resolve(import.meta.dirname, '..');

/** A new kind of generated file is one line here. */
const pieces: readonly (() => Promise<{ file: string; text: string }[]>)[] = [
  apiFiles,
  schemaFiles,
];

for (const piece of pieces) {
  for (const { file, text } of await piece()) {
    await fs.mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await fs.writeFile(path.join(root, file), text);
    process.stdout.write(`${file}\n`);
  }
}
