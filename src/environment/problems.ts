/** What is wrong with a file, with the place of each thing: all of them are shown at once. */
import path from 'node:path';

/** A place in a file; line and column count from 1. */
export type Place = { file: string; line: number; column: number };

export type Problem = {
  place: Place;
  /** `stores.orders.url`; empty for the file as a whole. */
  path: string;
  /** What is wrong, with the advice where there is one. Never holds a secret. */
  what: string;
  /** True where something isn't there: after a syntax error that may be its consequence. */
  isAbsence?: boolean;
};

/** `holdfast.yaml:12:5: stores.orders.url: what is wrong`. */
export function formatProblem(problem: Problem): string {
  const { file, line, column } = problem.place;
  const subject = problem.path === '' ? '' : `${problem.path}: `;
  return `${shownPath(file)}:${line}:${column}: ${subject}${problem.what}`;
}

/** In the order of the files and of their lines; a thing said twice of one place is said once. */
export function orderProblems(problems: readonly Problem[], files: readonly string[]): Problem[] {
  const seen = new Set<string>();
  return problems
    .toSorted(
      (a, b) =>
        files.indexOf(a.place.file) - files.indexOf(b.place.file) ||
        a.place.line - b.place.line ||
        a.place.column - b.place.column,
    )
    .filter((problem) => {
      const key = formatProblem(problem);
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
}

/** Relative to the working directory where that is shorter. */
export function shownPath(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative !== '' && relative.length < file.length && !relative.startsWith('..')
    ? relative
    : file;
}

/** ` (did you mean x?)`, or nothing where no candidate is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const limit = Math.floor(word.length / 3);
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance <= limit && (best === undefined || distance < best.distance)) {
      best = { candidate, distance };
    }
  }
  return best === undefined ? '' : ` (did you mean ${best.candidate}?)`;
}

/** Inserted, removed, replaced or swapped neighbouring letters (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(replaced, last[j]! + 1, row[j - 1]! + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
