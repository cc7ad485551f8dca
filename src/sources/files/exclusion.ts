/** Excludes in the syntax of .gitignore, applied to names that needn't be text. */
import { isUtf8 } from 'node:buffer';
import ignore, { type Ignore } from 'ignore';

/** Tells whether an entry below the root is left out. The path has one character for each byte (latin1). */
export type Exclusion = (bytePath: string, isDirectory: boolean) => boolean;

// The matcher remembers every path that it was asked for, so it is made anew from time to time.
const ASKED_BEFORE_RENEWAL = 16_384;

/**
 * Ask parents first and don't go below what is excluded, as git does. Case matters. In a name that isn't UTF-8, the
 * bytes above 127 are matched by wildcards alone: no pattern of a text file can spell them.
 */
export function compileExclusion(patterns: readonly string[]): Exclusion | undefined {
  if (patterns.length === 0) return undefined;
  let matcher = compile(patterns);
  let asked = 0;
  return (bytePath, isDirectory) => {
    asked += 1;
    if (asked % ASKED_BEFORE_RENEWAL === 0) matcher = compile(patterns);
    const path = textOf(bytePath);
    return matcher.ignores(isDirectory ? `${path}/` : path);
  };
}

function compile(patterns: readonly string[]): Ignore {
  return ignore({ ignoreCase: false }).add([...patterns]);
}

function textOf(bytePath: string): string {
  if (/^[\0-\x7f]*$/.test(bytePath)) return bytePath;
  return bytePath.split('/').map(componentText).join('/');
}

function componentText(component: string): string {
  const bytes = Buffer.from(component, 'latin1');
  if (isUtf8(bytes)) return bytes.toString();
  // Lone surrogates occur in no UTF-8 text, so a pattern can't match one by accident.
  return component.replace(/[\x80-\xff]/g, (byte) =>
    String.fromCharCode(0xdc00 + byte.charCodeAt(0)),
  );
}
