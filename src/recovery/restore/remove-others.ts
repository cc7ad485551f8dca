/** Makes room for equality: what a folder of the target holds and its tree doesn't is removed. */
import fs from 'node:fs';
import { canOpenBeneath, messageOf, pathOfOpen, systemCode } from '#base';
import { joinPath, joinRelative } from './paths.ts';
import { withoutDescriptors } from './target-folder.ts';
import { readNodes } from './tree-reader.ts';

const { O_RDONLY, O_DIRECTORY = 0, O_NOFOLLOW = 0 } = fs.constants;

/** Whether patterns let an entry be touched. */
export type IsMeant = (relative: string, isDirectory: boolean) => boolean;

type Removal = { removed: number; problems: { relative: string; what: string }[] };

/**
 * A tree that can't be read to its end removes nothing: what it
 * lost must not be lost in the target too. Links aren't followed, and nothing that is mounted is entered. Throws system
 * errors where the folder can't be listed.
 */
export function removeOthers(
  directory: { path: Buffer; relative: string },
  tree: Buffer,
  isMeant: IsMeant,
): Removal {
  const outcome: Removal = { removed: 0, problems: [] };
  const names = namesIn(tree);
  if (!names) return outcome;
  const device = fs.lstatSync(directory.path).dev;
  const entries = fs.readdirSync(directory.path, { encoding: 'latin1', withFileTypes: true });
  for (const entry of entries) {
    if (names.has(entry.name)) continue;
    const name = Buffer.from(entry.name, 'latin1');
    const relative = joinRelative(directory.relative, name);
    if (!isMeant(relative, entry.isDirectory())) continue;
    try {
      removeEntry({ path: joinPath(directory.path, name), relative }, device, isMeant);
      outcome.removed += 1;
    } catch (error) {
      outcome.problems.push({
        relative,
        what: `could not be removed: ${withoutDescriptors(messageOf(error))}`,
      });
    }
  }
  return outcome;
}

function namesIn(tree: Buffer): Set<string> | undefined {
  try {
    return new Set([...readNodes(tree)].map(({ name }) => name.toString('latin1')));
  } catch {
    // It is told when its entries are restored.
    return undefined;
  }
}

/** Bottom up: what isn't meant or is mounted stays, and with it the folders above it. Throws system errors. */
function removeEntry(
  entry: { path: Buffer; relative: string },
  device: number,
  isMeant: IsMeant,
): void {
  const { path, relative } = entry;
  if (!fs.lstatSync(path).isDirectory()) {
    fs.unlinkSync(path);
    return;
  }
  // Open, it stays the same one, whoever puts a link in its place while it is emptied.
  const folder = fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    if (fs.fstatSync(folder).dev !== device) throw new Error('something is mounted there');
    const opened = canOpenBeneath() ? pathOfOpen(folder) : path;
    for (const name of fs.readdirSync(opened, { encoding: 'latin1', withFileTypes: true })) {
      const bytes = Buffer.from(name.name, 'latin1');
      const below = { path: joinPath(opened, bytes), relative: joinRelative(relative, bytes) };
      if (isMeant(below.relative, name.isDirectory())) removeEntry(below, device, isMeant);
    }
  } finally {
    fs.closeSync(folder);
  }
  try {
    fs.rmdirSync(path);
  } catch (error) {
    // It keeps what wasn't meant.
    if (systemCode(error) !== 'ENOTEMPTY') throw error;
  }
}

/** A folder with all that is in it but what is mounted there. Throws system errors. */
export function removeFolder(path: Buffer): void {
  removeEntry({ path, relative: '' }, fs.lstatSync(path).dev, () => true);
}
