/** Paths of raw bytes. Relative ones are strings with one character for each byte (latin1), as the sources use them. */
import { isUtf8 } from 'node:buffer';

const SLASH = Buffer.from('/');

export function joinPath(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, SLASH, name]);
}

export function joinRelative(directory: string, name: Buffer): string {
  const text = name.toString('latin1');
  return directory === '' ? text : `${directory}/${text}`;
}

/** True where the name is one component that stays below its directory: no `/`, NUL, `.` or `..`, not empty. */
export function isEntryName(name: Buffer): boolean {
  return name.length > 0 && !/^\.{1,2}$|[/\0]/.test(name.toString('latin1'));
}

/** For people: text where it is UTF-8; control characters and other bytes as `\x1b`, so that no terminal obeys them. */
export function showName(relative: string): string {
  const bytes = Buffer.from(relative, 'latin1');
  const text = isUtf8(bytes) ? bytes.toString() : relative.replace(/[\x80-\xff]/g, escaped);
  return text.replace(/[\0-\x1f\x7f]/g, escaped);
}

function escaped(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
