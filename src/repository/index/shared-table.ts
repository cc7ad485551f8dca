/** What a worker thread needs to ask `has`: structured-cloneable, and nothing is copied. */
export type SharedBlobTable = {
  slots: SharedArrayBuffer;
  segments: readonly SharedArrayBuffer[];
};
