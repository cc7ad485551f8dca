/**
 * Objects of one kind have the same keys in the same order: which comes next is mostly known, and then it is enough to
 * compare bytes. To make a string of each would take a third of the time in which a tree is read.
 */

export type KnownKey = {
  text: string;
  /** With its quotes and the colon. */
  written: Uint8Array;
  /** What followed it last. */
  next: KnownKey | undefined;
};

/** Trees come from outside, and could name more than memory holds. */
const MOST_KEYS = 64;
/** What can be written in one way only, escapes aside. */
const PLAIN_KEY = /^\w{1,32}$/;

const known = new Map<string, KnownKey>();
const noKey = (): KnownKey => ({ text: '', written: new Uint8Array(), next: undefined });
const FIRST = noKey();
const UNKNOWN = noKey();

/** One an object. */
export class KeyOrder {
  #last = FIRST;
  key = '';

  /** What followed the last key before; undefined where nothing did. */
  get likely(): KnownKey | undefined {
    return this.#last.next;
  }

  came(key: KnownKey): void {
    this.#last = key;
    this.key = key.text;
  }

  cameAs(text: string): void {
    const key = knownKey(text);
    this.key = text;
    if (key) this.#last.next = key;
    this.#last = key ?? UNKNOWN;
  }
}

function knownKey(text: string): KnownKey | undefined {
  const key = known.get(text);
  if (key || known.size >= MOST_KEYS || !PLAIN_KEY.test(text)) return key;
  const made = { text, written: Buffer.from(`"${text}":`), next: undefined };
  known.set(text, made);
  return made;
}
