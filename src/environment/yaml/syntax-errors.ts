/** The parser's errors in words that say what to do. */
import type { YAMLError } from 'yaml';

const WORDS: Partial<Record<YAMLError['code'], string>> = {
  TAB_AS_INDENT: 'a tab indents this line: YAML wants spaces',
  MULTIPLE_DOCS: 'a second document begins here (---): the file holds one',
  BAD_INDENT: 'is not indented like its neighbours',
  BLOCK_AS_IMPLICIT_KEY: 'has a second ": " on one line: quote the value, or begin a new line',
  RESOURCE_EXHAUSTION: 'is nested too deeply',
  TAG_RESOLVE_FAILED: 'has a tag (!…) that this file has no use for',
  MULTIPLE_ANCHORS: 'has more than one anchor (&…)',
  BAD_DIRECTIVE: 'is a directive (%…) that this file has no use for',
};

/** One line about a syntax error. `text` is what was parsed. */
export function saidPlainly(error: YAMLError, text: string): string {
  if (error.code === 'BAD_SCALAR_START') {
    return `a value can't begin with ${text[error.pos[0]] ?? 'this'}: quote it`;
  }
  const said = WORDS[error.code];
  if (said !== undefined) return said;
  if (/closing .?quote/.test(error.message)) return 'a quote is opened before here and not closed';
  const [first = ''] = error.message.split('\n');
  return `is not valid YAML: ${first.slice(0, 120)}`;
}
