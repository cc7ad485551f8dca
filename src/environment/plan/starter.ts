/** A first holdfast.yaml of what was seen around. It is meant to be read and mended by a person. */
import path from 'node:path';
import { stringify } from 'yaml';
import type { Seen } from './surroundings.ts';

export type StarterFacts = {
  /** Folder of the file, absolute: its last part becomes the name. */
  folder: string;
  repository: string;
  passwordFile: string;
  /** Where holdfast.schema.json lies, for editors. */
  schema: string;
  /** Files and folders to capture with every recovery point, relative to the folder. */
  imports: readonly string[];
  seen: readonly Seen[];
};

export function starterText(facts: StarterFacts): string {
  const name = asName(path.basename(facts.folder), new Set());
  const lines = [
    `# yaml-language-server: $schema=${facts.schema}`,
    '# What must come back together, and how it is protected. Look at it with: holdfast plan',
    'apiVersion: holdfast/v1',
    `name: ${name}`,
    'stage: production',
  ];
  if (facts.imports.length > 0) lines.push(`import: ${inline(facts.imports)}`);
  lines.push(
    'repository:',
    `  url: ${inline(facts.repository)}`,
    '  # Whoever loses this password loses the data: keep a copy of it elsewhere.',
    `  password: ${inline(`\${file:${facts.passwordFile}}`)}`,
    'objectives: {rpo: 5s, rto: 2m}',
    '',
    ...storeLines(facts),
  );
  return `${lines.join('\n')}\n`;
}

function storeLines(facts: StarterFacts): string[] {
  if (facts.seen.length === 0) {
    return [
      '# Nothing that looks like data was seen here. Declare what there is, for example:',
      '#   orders: {type: postgres, url: "${ORDERS_URL}", protect: continuous}',
      '#   media: {type: files, path: /srv/media, protect: {every: 5m}}',
      'stores: {}',
    ];
  }
  const names = new Set<string>();
  const lines = ['stores:'];
  for (const seen of facts.seen) {
    const name = asName(seen.name, names);
    names.add(name);
    lines.push(`  # ${seen.kind} seen at ${seen.seenAt}`, `  ${name}:`);
    for (const [field, value] of Object.entries(fieldsOf(seen, name, facts.folder))) {
      lines.push(`    ${field}: ${inline(value)}`);
    }
  }
  return lines;
}

/** What can't be protected yet stays without a reason, so that the plan goes on naming it. */
function fieldsOf(seen: Seen, name: string, folder: string): Record<string, string> {
  if (seen.kind === 'postgres') {
    const variable = `${name.toUpperCase().replaceAll('-', '_')}_URL`;
    const fromEnvironment = seen.seenAt === 'DATABASE_URL' ? 'DATABASE_URL' : variable;
    const isByVariables = seen.seenAt.startsWith('PG');
    const address = isByVariables ? String(seen.own?.fields.url) : `\${${fromEnvironment}}`;
    return { type: 'postgres', url: address, protect: 'continuous' };
  }
  if (seen.kind === 'folder' && seen.folder !== undefined) {
    const relative = path.relative(folder, seen.folder);
    const shown = relative.startsWith('..') ? seen.folder : relative;
    return { type: 'files', path: shown, protect: 'continuous' };
  }
  const type = seen.kind === 'volume' ? 'files' : seen.kind;
  return { type, protect: 'none' };
}

function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();
}

/** Of a-z, 0-9 and -, unlike those that are taken and unlike words that YAML knows. */
function asName(text: string, taken: ReadonlySet<string>): string {
  const base =
    text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 30)
      .replace(/^-+|-+$/g, '') || 'data';
  const isWord = /^(?:y|n|yes|no|on|off|true|false|null|\d+)$/.test(base);
  const safe = isWord ? `the-${base}` : base;
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? safe : `${safe}-${number}`;
    if (!taken.has(name)) return name;
  }
}
