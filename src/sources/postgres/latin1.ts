/** Paths and names are held as latin1 text of their raw bytes, one character a byte. */
export const latin1Of = (path: string): string => Buffer.from(path).toString('latin1');

/** Of such a text. */
export const bytesOf = (latin1: string): Buffer => Buffer.from(latin1, 'latin1');
