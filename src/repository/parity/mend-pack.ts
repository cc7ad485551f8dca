/** A pack brought back from what is left of it and its sidecar. Synchronous, for worker threads. */
import { hash } from 'node:crypto';
import { coefficient, invertCoefficients } from './galois.ts';
import { columnOf, layoutFor, type ParityLayout, stripeOf } from './layout.ts';
import type { ReedSolomon } from './reed-solomon.ts';
import { decodeSidecar, encodeSidecar, type Sidecar, sectorSums } from './sidecar.ts';

export type MendAnswer =
  /** The stored bytes are those of the name. */
  | { outcome: 'whole' }
  /** `bytes` are those of the name, again. */
  | { outcome: 'mended'; bytes: Buffer; damagedSectors: number; sectorBytes: number }
  | { outcome: 'beyond'; why: string };

/** The sidecar of a pack, whose bytes are the parts in a row. */
export function sidecarOf(
  code: ReedSolomon,
  packId: string,
  parts: readonly Uint8Array[],
  overhead: number,
): Buffer {
  const packBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const layout = layoutFor(packBytes, overhead);
  return encodeSidecar(packId, layout, parts, code.parityOf(layout, parts));
}

/** `stored` may be shorter or longer than the pack was. */
export function mendPack(
  code: ReedSolomon,
  packId: string,
  stored: Buffer,
  sidecarBytes: Buffer,
): MendAnswer {
  if (hash('sha256', stored, 'hex') === packId) return { outcome: 'whole' };
  const sidecar = decodeSidecar(packId, sidecarBytes);
  if (!sidecar) return { outcome: 'beyond', why: 'its parity is damaged too' };
  const { layout } = sidecar;
  const bytes = Buffer.alloc(layout.sectors * layout.sectorBytes);
  stored.copy(bytes, 0, 0, layout.packBytes);
  const lost = lostSectors(sidecar, bytes);
  const tooMuch = lost.find(({ sectors, rows }) => sectors.length > rows.length);
  if (tooMuch) {
    const damaged = lost.reduce((sum, { sectors }) => sum + sectors.length, 0);
    const why = `${damaged} of ${layout.sectors} sectors are damaged, which is more than its parity brings back`;
    return { outcome: 'beyond', why };
  }
  bringBack(code, sidecar, bytes, lost);
  const whole = bytes.subarray(0, layout.packBytes);
  if (hash('sha256', whole, 'hex') !== packId) {
    return { outcome: 'beyond', why: 'its parity is that of other bytes' };
  }
  const damagedSectors = lost.reduce((sum, { sectors }) => sum + sectors.length, 0);
  return { outcome: 'mended', bytes: whole, damagedSectors, sectorBytes: layout.sectorBytes };
}

type LostInStripe = { stripe: number; sectors: number[]; rows: number[] };

/** The stripes with damage: which sectors are wrong, and which rows of parity are there. */
function lostSectors({ layout, sums, parity }: Sidecar, bytes: Buffer): LostInStripe[] {
  const lost = new Map<number, LostInStripe>();
  let sector = 0;
  for (const sum of sectorSums([bytes], layout.sectorBytes, layout.sectors)) {
    if (sum !== sums[sector]) {
      const stripe = stripeOf(layout, sector);
      const known = lost.get(stripe) ?? {
        stripe,
        sectors: [],
        rows: rowsOf(layout, parity, stripe),
      };
      known.sectors.push(sector);
      lost.set(stripe, known);
    }
    sector += 1;
  }
  return [...lost.values()];
}

function rowsOf(layout: ParityLayout, parity: Sidecar['parity'], stripe: number): number[] {
  return Array.from({ length: layout.rows }, (_, row) => row).filter(
    (row) => parity[stripe * layout.rows + row] !== undefined,
  );
}

/**
 * With the lost sectors as zeros, parity of what is left differs from the stored parity by the lost ones' products
 * alone: as many equations as are lost, to be solved.
 */
function bringBack(
  code: ReedSolomon,
  { layout, parity }: Sidecar,
  bytes: Buffer,
  lost: readonly LostInStripe[],
): void {
  const { sectorBytes, rows } = layout;
  const at = (sector: number) => bytes.subarray(sector * sectorBytes, (sector + 1) * sectorBytes);
  for (const { sectors } of lost) for (const sector of sectors) at(sector).fill(0);
  for (const { stripe, sectors, rows: there } of lost) {
    const used = there.slice(0, sectors.length);
    const columns: number[] = [];
    for (let sector = stripe; sector < layout.sectors; sector += layout.stripes)
      columns.push(sector);
    const factors = used.map((row) =>
      Uint8Array.from(columns, (sector) => coefficient(row, columnOf(layout, sector))),
    );
    const differences = code.combine(factors, columns.map(at));
    used.forEach((row, i) => {
      const stored = parity[stripe * rows + row] as Buffer;
      for (let byte = 0; byte < sectorBytes; byte += 1) {
        const place = i * sectorBytes + byte;
        differences[place] = (differences[place] as number) ^ (stored[byte] as number);
      }
    });
    const inverse = invertCoefficients(
      used,
      sectors.map((sector) => columnOf(layout, sector)),
    );
    const vectors = used.map((_, i) =>
      differences.subarray(i * sectorBytes, (i + 1) * sectorBytes),
    );
    const back = code.combine(inverse, vectors);
    sectors.forEach((sector, i) => {
      at(sector).set(back.subarray(i * sectorBytes, (i + 1) * sectorBytes));
    });
  }
}
