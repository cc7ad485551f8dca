/** Changes to bytes that decoders may stumble over. */
import type { Chance } from './chance.ts';

/** Numbers that decoders stumble over: ends of ranges, lengths that can't be. */
const NUMBERS = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const TOKENS = [
  ...['null', 'true', '-1', '1e308', '18446744073709551616', '""', '[]', '{}', '"\\ud800"'],
  ...['__proto__', '..', '/', '\0', '\n', '"', '\\', ',', ':', '[', ']', '{', '}', '-', '.', 'e'],
];

export function mutate(bytes: Buffer, chance: Chance): Buffer {
  const length = bytes.length;
  const at = length === 0 ? 0 : chance.below(length);
  const span = Math.min(length - at, 1 + chance.below(16));
  switch (chance.below(9)) {
    case 0:
      return changed(bytes, at, (copy) => {
        copy[at] = (copy[at] as number) ^ (1 << chance.below(8));
      });
    case 1:
      return changed(bytes, at, (copy) => {
        copy[at] = chance.below(256);
      });
    case 2:
      return changed(bytes, at, (copy) => {
        const value = chance.oneOf(NUMBERS);
        if (at + 4 <= length) copy.writeUInt32LE(value, at);
        else copy[at] = value & 0xff;
      });
    case 3:
      return bytes.subarray(0, at);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + span)]);
    case 5:
      return Buffer.concat([bytes.subarray(0, at + span), bytes.subarray(at)]);
    case 6: {
      const token = Buffer.from(chance.oneOf(TOKENS));
      const kept = chance.below(2) === 0 ? at : at + span;
      return Buffer.concat([bytes.subarray(0, at), token, bytes.subarray(kept)]);
    }
    case 7: {
      const from = length === 0 ? 0 : chance.below(length);
      const piece = bytes.subarray(from, from + span);
      return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
    }
    default:
      return changed(bytes, at, (copy) => copy.fill(chance.below(256), at, at + span));
  }
}

function changed(bytes: Buffer, at: number, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  if (at < copy.length) change(copy);
  return copy;
}

/** The beginning of one and the end of another. */
export function splice(first: Buffer, second: Buffer, chance: Chance): Buffer {
  const cut = chance.below(first.length + 1);
  const from = chance.below(second.length + 1);
  return Buffer.concat([first.subarray(0, cut), second.subarray(from)]);
}
