/**
 * Which worker thread saves a blob that the repository doesn't hold yet: the one that claims its id first. A set of ids
 * in shared memory without locks. It grows by levels, each twice as large as the one before; ids stay where they are.
 *
 * What is promised: a claim is refused only where the very same id (all 32 bytes) and type was claimed before. What isn't:
 * two threads may both win one id while a level is added, and everybody wins once the last level is full. Then a blob
 * is stored twice, which costs space and nothing else.
 */
import type { BlobType } from '../names.ts';

const ID_WORDS = 8;
/** State, then the id. */
const SLOT_WORDS = 1 + ID_WORDS;
const EMPTY = 0;
/** The slot is taken, its id not there yet. */
const BUSY = 1;
/** Other states are the id's first word with its two low bits replaced by the type. */
const DATA_MARK = 2;
const TREE_MARK = 3;

const FIRST_SLOTS = 1 << 14;
const MAX_LEVELS = 10;
/** Number of levels in use, then the ids in each. */
const HEADER_WORDS = 1 + MAX_LEVELS;
const LEVELS = 0;
/** A thread that was put to sleep between taking a slot and filling it; after so long it must be dead. */
const BUSY_WAITS_MS = 100;

export function createClaimMemory(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(levelWords(1) * 4, {
    maxByteLength: levelWords(MAX_LEVELS) * 4,
  });
  Atomics.store(new Int32Array(memory), LEVELS, 1);
  return memory;
}

const slotsOf = (level: number): number => FIRST_SLOTS * 2 ** level;

/** Words of the header and the levels below `level`: where its slots begin. */
function levelWords(level: number): number {
  return HEADER_WORDS + FIRST_SLOTS * (2 ** level - 1) * SLOT_WORDS;
}

export class ClaimTable {
  readonly #memory: SharedArrayBuffer;
  /**
   * The header and each level by views of their own, which have a fixed length: what asks a growing view for one word
   * asks the memory for its length first, ten times as slow.
   */
  readonly #header: Int32Array;
  readonly #levels: Int32Array[] = [];
  readonly #wanted = new Int32Array(ID_WORDS);

  constructor(memory: SharedArrayBuffer) {
    this.#memory = memory;
    this.#header = new Int32Array(memory, 0, HEADER_WORDS);
  }

  /** True where nobody claimed this blob before: whoever gets true must save it. */
  claim(type: BlobType, id: Uint8Array): boolean {
    const mark = this.#want(type, id);
    for (let level = 0; level < MAX_LEVELS; level += 1) {
      const isLast = level + 1 >= Atomics.load(this.#header, LEVELS);
      const outcome = this.#claimIn(level, mark, isLast && this.#hasRoom(level));
      if (outcome !== 'unknown') return outcome === 'won';
      if (isLast && !this.#addLevel(level + 1)) return true;
    }
    return true;
  }

  #want(type: BlobType, id: Uint8Array): number {
    for (let word = 0; word < ID_WORDS; word += 1) {
      const at = word * 4;
      this.#wanted[word] =
        (id[at] as number) |
        ((id[at + 1] as number) << 8) |
        ((id[at + 2] as number) << 16) |
        ((id[at + 3] as number) << 24);
    }
    return ((this.#wanted[0] as number) & ~3) | (type === 'tree' ? TREE_MARK : DATA_MARK);
  }

  #hasRoom(level: number): boolean {
    return Atomics.load(this.#header, 1 + level) < slotsOf(level) * 0.75;
  }

  /** Of a level that there is. */
  #slotsOf(level: number): Int32Array {
    this.#levels[level] ??= new Int32Array(
      this.#memory,
      levelWords(level) * 4,
      slotsOf(level) * SLOT_WORDS,
    );
    return this.#levels[level];
  }

  #claimIn(level: number, mark: number, mayInsert: boolean): 'won' | 'lost' | 'unknown' {
    const slots = this.#slotsOf(level);
    const mask = slotsOf(level) - 1;
    for (let slot = (this.#wanted[1] as number) & mask; ; slot = (slot + 1) & mask) {
      const at = slot * SLOT_WORDS;
      let state = Atomics.load(slots, at);
      if (state === EMPTY) {
        if (!mayInsert) return 'unknown';
        state = Atomics.compareExchange(slots, at, EMPTY, BUSY);
        if (state === EMPTY) {
          // One by one: `set` takes longer where memory is shared.
          for (let word = 0; word < ID_WORDS; word += 1) {
            slots[at + 1 + word] = this.#wanted[word] as number;
          }
          Atomics.store(slots, at, mark);
          Atomics.add(this.#header, 1 + level, 1);
          return 'won';
        }
      }
      if (state === BUSY) state = awaitFilled(slots, at);
      if (state === mark && this.#isWanted(slots, at + 1)) return 'lost';
    }
  }

  #isWanted(slots: Int32Array, at: number): boolean {
    for (let word = 0; word < ID_WORDS; word += 1) {
      if (slots[at + word] !== this.#wanted[word]) return false;
    }
    return true;
  }

  /** False where there is no room for it any more. Any thread may add one, also two at once. */
  #addLevel(level: number): boolean {
    if (level >= MAX_LEVELS) return false;
    const wantedBytes = levelWords(level + 1) * 4;
    try {
      if (this.#memory.byteLength < wantedBytes) this.#memory.grow(wantedBytes);
    } catch (error) {
      // Another thread has grown it meanwhile, or there is no memory: then blobs are stored twice at worst.
      if (!(error instanceof RangeError)) throw error;
      if (this.#memory.byteLength < wantedBytes) return false;
    }
    Atomics.compareExchange(this.#header, LEVELS, level, level + 1);
    return true;
  }
}

function awaitFilled(slots: Int32Array, at: number): number {
  for (let waitedMs = 0; waitedMs < BUSY_WAITS_MS; waitedMs += 1) {
    if (Atomics.load(slots, at) !== BUSY) break;
    Atomics.wait(slots, at, BUSY, 1);
  }
  return Atomics.load(slots, at);
}
