/** What the thread that answers the kernel hands to the one that may wait. */

/** Requests that need bytes of the repository, or a disk that takes its time. Whoever takes one answers the kernel. */
export type Deferred = { unique: bigint } & (
  | { kind: 'read'; file: number; descriptor: number; offset: number; lengthBytes: number }
  | {
      kind: 'write';
      file: number;
      descriptor: number;
      offset: number;
      data: Uint8Array;
      isWrittenBehind: boolean;
    }
  | {
      kind: 'sync';
      file: number | undefined;
      descriptor: number;
      dataOnly: boolean;
      /** Of a directory, opened for this alone. */
      closeAfter?: boolean;
    }
  | {
      kind: 'allocate';
      file: number | undefined;
      descriptor: number;
      offset: bigint;
      lengthBytes: bigint;
      mode: number;
    }
);

export type FolderThreadData = {
  /** Of the device. */
  descriptor: number;
  /** Where the files lie on disk. */
  folder: string;
  /** Where what is known of them lies. */
  state: string;
  pages: SharedArrayBuffer;
  hasXattrs: boolean;
  writesBehind: boolean;
};

export type FolderThreadMessage =
  | { kind: 'agreed' }
  | { kind: 'deferred'; request: Deferred }
  /** The last word. Open descriptors, which requests that were handed on may still need. */
  | { kind: 'left'; descriptors: number[] };
