/**
 * References in values: `${NAME}` and `${file:/path}` are secrets or settings of this machine, `${port}`,
 * `${stores.orders.url}` and `${services.api.url}` are known only when a copy starts. `$${` stands for a plain `${`.
 */
import fs from 'node:fs';
import path from 'node:path';
import { messageOf, systemCode } from '#base';

export type Reference =
  | { kind: 'variable'; name: string; text: string }
  | { kind: 'file'; path: string; text: string }
  | { kind: 'port'; text: string }
  | { kind: 'store'; name: string; text: string }
  | { kind: 'service'; name: string; text: string }
  | { kind: 'malformed'; text: string };

/** The path of `${file:${FOLDER}/password}` may hold variables; nothing nests deeper. */
const REFERENCE = /\$?\$\{((?:[^{}]|\$\{[^{}]*\})*)\}/g;
const MAX_SECRET_FILE_BYTES = 64 * 1024;

/** Those in the text, in their order. */
export function referencesIn(text: string): Reference[] {
  return [...text.matchAll(REFERENCE)]
    .filter(([whole]) => !whole.startsWith('$$'))
    .map(([whole, inner]) => parseReference(whole, inner ?? ''));
}

/** The text with each reference replaced by what `resolve` gives. */
export function replaceReferences(text: string, resolve: (reference: Reference) => string): string {
  return text.replace(REFERENCE, (whole: string, inner: string) =>
    whole.startsWith('$$') ? whole.slice(1) : resolve(parseReference(whole, inner)),
  );
}

function parseReference(text: string, inner: string): Reference {
  if (inner === 'port') return { kind: 'port', text };
  const part = /^(stores|services)\.([a-z0-9-]+)\.url$/.exec(inner);
  if (part !== null) {
    return { kind: part[1] === 'stores' ? 'store' : 'service', name: part[2]!, text };
  }
  const file = /^file:(.+)$/.exec(inner);
  if (file !== null) return { kind: 'file', path: file[1]!, text };
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(inner)) return { kind: 'variable', name: inner, text };
  return { kind: 'malformed', text };
}

/** Where `${NAME}` and `${file:…}` are looked up. */
export type Surroundings = {
  variables: Readonly<Record<string, string | undefined>>;
  /** Folder that relative `${file:…}` paths begin at. */
  folder: string;
};

export type Looked = { value: string } | { missing: string };

/** The value of a variable or of a file (without the newline at its end), or why there is none. Never shows a value. */
export function lookUp(
  reference: Extract<Reference, { kind: 'variable' | 'file' }>,
  surroundings: Surroundings,
): Looked {
  if (reference.kind === 'variable') {
    const value = surroundings.variables[reference.name];
    if (value === undefined) return { missing: `the variable ${reference.name} is not set` };
    if (value === '') return { missing: `the variable ${reference.name} is empty` };
    return { value };
  }
  const expanded = expandPath(reference.path, surroundings);
  if ('missing' in expanded) return expanded;
  const file = path.resolve(surroundings.folder, expanded.value);
  try {
    // Asked before it is opened, and never a pipe or a device: those would make reading wait for ever.
    const stat = fs.statSync(file);
    if (!stat.isFile()) return { missing: `${file} is no regular file` };
    if (stat.size > MAX_SECRET_FILE_BYTES) return { missing: `${file} is over 64 KiB` };
    return { value: fs.readFileSync(file, 'utf8').replace(/\r?\n$/, '') };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return { missing: `there is no file ${file}` };
    if (code === 'EACCES') return { missing: `this user may not read ${file}` };
    return { missing: messageOf(error) };
  }
}

function expandPath(written: string, surroundings: Surroundings): Looked {
  let missing: string | undefined;
  const value = replaceReferences(written, (reference) => {
    if (reference.kind !== 'variable') {
      missing ??= `${reference.text} can't stand in a path`;
      return '';
    }
    const looked = lookUp(reference, surroundings);
    if ('value' in looked) return looked.value;
    missing ??= looked.missing;
    return '';
  });
  return missing === undefined ? { value } : { missing };
}
