/** Holdfast's own files: encrypted with the repository's key, bound to their names, under `holdfast/`. */
export interface SealedFiles {
  /** `name` without the prefix: `points/…`. Compressed and sealed; atomic and durable; replaces what is there. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Throws `repository/not-in-storage`, `repository/file-damaged` or `repository/sealed-misplaced`. */
  read(name: string): Promise<Buffer>;
  /** Undefined where absent. */
  readIfThere(name: string): Promise<Buffer | undefined>;
  /** Names (without `holdfast/`) that begin with the prefix, sorted. */
  list(prefix: string): Promise<string[]>;
  /** Removing what isn't there is no error. */
  remove(name: string): Promise<void>;
}
