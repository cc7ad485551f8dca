/** Damage to bytes, decided by one number: the same number always does the same. */

/** Numbers that decoders stumble over: ends of ranges, lengths that can't be. */
const NUMBERS = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const TOKENS = [
  ...['null', 'true', '-1', '1e308', '18446744073709551616', '""', '[]', '{}', '"\\ud800"'],
  ...['__proto__', '..', '/', '\0', '\n', '"', '\\', ',', ':', '[', ']', '{', '}', '-', '.', 'e'],
];

export function mutate(bytes: Buffer, choice: number): Buffer {
  const random = generator(choice);
  const length = bytes.length;
  const at = length === 0 ? 0 : random() % length;
  const span = Math.min(length - at, 1 + (random() % 16));
  switch (random() % 9) {
    case 0:
      return changed(bytes, at, (copy) => {
        copy[at] = (copy[at] as number) ^ (1 << (random() % 8));
      });
    case 1:
      return changed(bytes, at, (copy) => {
        copy[at] = random() & 0xff;
      });
    case 2:
      return changed(bytes, at, (copy) => {
        const value = NUMBERS[random() % NUMBERS.length] as number;
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
      const token = Buffer.from(TOKENS[random() % TOKENS.length] as string);
      const kept = random() % 2 === 0 ? at : at + span;
      return Buffer.concat([bytes.subarray(0, at), token, bytes.subarray(kept)]);
    }
    case 7: {
      const from = length === 0 ? 0 : random() % length;
      const piece = bytes.subarray(from, from + span);
      return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
    }
    default:
      return changed(bytes, at, (copy) => copy.fill(random() & 0xff, at, at + span));
  }
}

function changed(bytes: Buffer, at: number, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  if (at < copy.length) change(copy);
  return copy;
}

/** Numbers from 0 to 2^32-1 (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
