/** A blob in the table and on the way there: twelve 32-bit words. */

/** 8 words of id, then pack number (top bit: tree), offset, sealed length, plain length where compressed (else 0). */
export const ENTRY_WORDS = 12;
export const PACK_WORD = 8;
export const OFFSET_WORD = 9;
export const LENGTH_WORD = 10;
export const PLAIN_WORD = 11;
/** What the seal adds to the plain length. */
export const SEAL_BYTES = 32;
/** In the word of the pack number. */
export const TREE_BIT = 0x8000_0000;
