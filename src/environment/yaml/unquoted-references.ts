/**
 * YAML reads `{url: ${X}}` as a map inside a map, with errors that nobody understands. Such references are found here,
 * and the text is made readable at the same length, so that everything else that is wrong is found in one pass too.
 */
import { Lexer } from 'yaml';

export type UnquotedReference = {
  /** Offsets of the whole scalar, from its first letter to its end. */
  from: number;
  to: number;
  /** What should be quoted: `http://127.0.0.1:${port}/healthz`. */
  text: string;
};

/** The scalars with an unquoted `${…}` inside `{}` or `[]`, and the text with their braces blunted. */
export function bluntUnquotedReferences(text: string): {
  references: UnquotedReference[];
  readable: string;
} {
  const references: UnquotedReference[] = [];
  let depth = 0;
  let offset = 0;
  let scalarFrom = -1;
  let scalarFollows = false;
  for (const token of new Lexer().lex(text)) {
    if (token === '\u0002' || token === '\u0018') continue;
    if (token === '\u001f') {
      scalarFollows = true;
      continue;
    }
    const covered = offset < (references.at(-1)?.to ?? 0);
    if (scalarFollows) {
      scalarFrom = offset;
    } else if (token === '{' && depth > 0 && !covered && text[offset - 1] === '$') {
      const to = endOfScalar(text, offset);
      if (to !== undefined) {
        references.push({ from: scalarFrom, to, text: text.slice(scalarFrom, to) });
      }
    }
    if (!scalarFollows && offset >= (references.at(-1)?.to ?? 0)) {
      if (token === '{' || token === '[') depth += 1;
      if ((token === '}' || token === ']') && depth > 0) depth -= 1;
    }
    scalarFollows = false;
    offset += token.length;
  }
  return { references, readable: blunted(text, references) };
}

/** Where the scalar ends that has `{` of a `${…}` at this offset, or undefined where this is no reference. */
function endOfScalar(text: string, braceOffset: number): number | undefined {
  const rest = /^\{[^{}\n"']{0,200}\}(?:\$\{[^{}\n"']{0,200}\}|[^\s,[\]{}"'])*/.exec(
    text.slice(braceOffset, braceOffset + 2_000),
  );
  return rest === null ? undefined : braceOffset + rest[0].length;
}

function blunted(text: string, references: readonly UnquotedReference[]): string {
  let readable = '';
  let offset = 0;
  for (const { from, to } of references) {
    readable += text.slice(offset, from) + text.slice(from, to).replace(/[{},:[\]#]/g, '_');
    offset = to;
  }
  return readable + text.slice(offset);
}
