/** Ways in which the files of a repository get damaged. */
import { layoutFor } from '../../src/repository/parity/layout.ts';
import type { Chance } from './chance.ts';
import type { Files } from './sample.ts';

export type Damage = {
  kind: 'flip' | 'burst' | 'zeros' | 'cut' | 'garbage' | 'deletion' | 'swap';
  /** One, or the two that were exchanged. */
  names: string[];
  /** It is within what the parity of a pack of this length brings back. */
  isWithinParity: boolean;
};

const KINDS: readonly Damage['kind'][] = [
  ...['flip', 'flip', 'flip', 'burst', 'burst', 'zeros', 'cut', 'cut'],
  ...['garbage', 'deletion', 'deletion', 'swap'],
] as const as readonly Damage['kind'][];

/** Changes one of the files (two where they are exchanged), of a folder chosen by chance first: large ones mustn't win. */
export function damageOne(files: Files, chance: Chance): Damage {
  for (;;) {
    const kind = chance.oneOf(KINDS);
    const name = chooseFile(files, chance);
    const before = files.get(name) as Buffer;
    const done = kind === 'swap' ? swap(files, name, chance) : change(files, name, kind, chance);
    const after = files.get(name);
    if (done && !after?.equals(before)) return done;
  }
}

function chooseFile(files: Files, chance: Chance): string {
  const folders = new Map<string, string[]>();
  for (const name of files.keys()) {
    const parts = name.split('/');
    const folder = parts.slice(0, parts[0] === 'holdfast' ? 2 : 1).join('/');
    folders.set(folder, [...(folders.get(folder) ?? []), name]);
  }
  // What matters most is most of what there is.
  if (chance.fraction() < 0.4) return chance.oneOf(folders.get('data') as string[]);
  return chance.oneOf(chance.oneOf([...folders.values()]));
}

function change(files: Files, name: string, kind: Damage['kind'], chance: Chance): Damage {
  const before = files.get(name) as Buffer;
  const { bytes, touched } = damagedBytes(before, kind, chance);
  if (bytes) files.set(name, bytes);
  else files.delete(name);
  return { kind, names: [name], isWithinParity: touched <= bearable(before.length) };
}

/** The length of a burst that parity of the default overhead brings back wherever it lies. */
function bearable(packBytes: number): number {
  const { stripes, rows, sectorBytes } = layoutFor(packBytes);
  return (stripes * rows - 1) * sectorBytes;
}

/** `touched`: over how many bytes the damage reaches. */
function damagedBytes(
  before: Buffer,
  kind: Damage['kind'],
  chance: Chance,
): { bytes: Buffer | undefined; touched: number } {
  const bytes = Buffer.from(before);
  const from = chance.below(bytes.length);
  const length = 1 + chance.below(Math.max(1, Math.ceil(bytes.length * 0.04)));
  switch (kind) {
    case 'flip':
      bytes[from] = (bytes[from] as number) ^ (1 << chance.below(8));
      return { bytes, touched: 1 };
    case 'burst': {
      const noise = chance.bytes(Math.min(length, bytes.length - from));
      bytes.set(noise, from);
      return { bytes, touched: noise.length };
    }
    case 'zeros':
      bytes.fill(0, from, Math.min(from + length, bytes.length));
      return { bytes, touched: Math.min(length, bytes.length - from) };
    case 'cut': {
      const left = chance.fraction() < 0.5 ? bytes.length - length : from;
      return { bytes: bytes.subarray(0, Math.max(left, 0)), touched: bytes.length - left };
    }
    case 'garbage':
      return { bytes: Buffer.concat([bytes, chance.bytes(length)]), touched: 0 };
    default:
      return { bytes: undefined, touched: bytes.length };
  }
}

/** With another file of its kind, where there is one. */
function swap(files: Files, name: string, chance: Chance): Damage | undefined {
  const folder = name.split('/')[0] as string;
  const others = [...files.keys()].filter((other) => other !== name && other.startsWith(folder));
  if (others.length === 0) return undefined;
  const other = chance.oneOf(others);
  const [one, two] = [files.get(name) as Buffer, files.get(other) as Buffer];
  files.set(name, two);
  files.set(other, one);
  return { kind: 'swap', names: [name, other], isWithinParity: false };
}
