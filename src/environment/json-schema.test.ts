import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { environmentJsonSchema, environmentJsonSchemaText } from './json-schema.ts';
import { allSourceSchemas } from './load.ts';

const root = path.resolve(import.meta.dirname, '../..');

test('holdfast.schema.json is as `npm run generate` makes it', () => {
  const committed = fs.readFileSync(path.join(root, 'holdfast.schema.json'), 'utf8');
  expect(committed).toBe(environmentJsonSchemaText(allSourceSchemas()));
});

test('every field says what it is for', () => {
  const silent: string[] = [];
  let fields = 0;
  const visit = (node: unknown, at: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const { properties = {}, ...rest } = node as { properties?: Record<string, object> };
    for (const [name, field] of Object.entries(properties)) {
      fields += 1;
      if (!('description' in field)) silent.push(`${at}.${name}`);
      visit(field, `${at}.${name}`);
    }
    for (const [key, value] of Object.entries(rest)) visit(value, `${at}/${key}`);
  };
  visit(environmentJsonSchema(allSourceSchemas()), '');
  expect(fields).toBeGreaterThan(30);
  expect(silent).toEqual([]);
});

test('every example tells editors where its schema is', () => {
  const files = fs
    .globSync('examples/**/*.yaml', { cwd: root })
    .filter((file) => path.basename(file).startsWith('holdfast'));
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const [first = ''] = fs.readFileSync(path.join(root, file), 'utf8').split('\n');
    const named = /^# yaml-language-server: \$schema=(\S+)$/.exec(first)?.[1];
    expect(named, file).toBeDefined();
    expect(path.resolve(root, path.dirname(file), named as string)).toBe(
      path.join(root, 'holdfast.schema.json'),
    );
  }
});
