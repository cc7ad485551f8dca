/** The newest frames of a spool, kept in memory until they are shipped: what is shipped at once isn't read back. */
import type { Position } from '../records/records.ts';
import type { Frame } from './spool-frame.ts';

/** Beyond that the oldest go: a backlog is read from the disk. */
const ROOM_BYTES = 32 * 2 ** 20;

type Kept = { line: number; frame: Frame };

const endOf = ({ frame }: Kept): bigint => frame.offset + BigInt(frame.bytes.length);

export class SpoolTail {
  /** In the order in which they came. */
  #kept: Kept[] = [];
  #bytes = 0;

  /** `frames` are fsynced. Their bytes must stay as they are. */
  add(line: number, frames: readonly Frame[]): void {
    for (const frame of frames) {
      this.#kept.push({ line, frame });
      this.#bytes += frame.bytes.length;
    }
    let gone = 0;
    while (this.#bytes > ROOM_BYTES) {
      this.#bytes -= (this.#kept[gone] as Kept).frame.bytes.length;
      gone += 1;
    }
    if (gone > 0) this.#kept = this.#kept.slice(gone);
  }

  /** What ends at this place or before it on its line isn't asked for any more; nor are older lines. */
  shipped({ line, offset }: Position): void {
    this.#kept = this.#kept.filter(
      (one) => one.line > line || (one.line === line && endOf(one) > offset),
    );
    this.#bytes = this.#kept.reduce((sum, { frame }) => sum + frame.bytes.length, 0);
  }

  forget(): void {
    this.#kept = [];
    this.#bytes = 0;
  }

  /** Frames from `from` up to `to`, cut to these; undefined where not all of it is kept. */
  read(line: number, from: bigint, to: bigint): Frame[] | undefined {
    const frames: Frame[] = [];
    let at = from;
    for (const one of this.#kept) {
      if (at >= to) break;
      const end = endOf(one);
      if (one.line !== line || one.frame.offset > at || end <= at) continue;
      const { offset, sentAtMs, bytes } = one.frame;
      const upTo = end < to ? end : to;
      const part = bytes.subarray(Number(at - offset), Number(upTo - offset));
      frames.push({ offset: at, sentAtMs, bytes: part });
      at = upTo;
    }
    return at >= to ? frames : undefined;
  }
}
