import type { FileMetadata } from '#base';

/** One entry of a tree: what restic calls a node, with raw bytes and exact numbers instead of JSON's. */
export type TreeNode = FileMetadata & {
  /** Raw bytes of one path component. */
  name: Buffer;
  /** Ids of the data blobs of a regular file, 32 bytes each, in order. Empty for an empty file. */
  content?: Buffer;
  /** Hex id of the tree blob of a directory. */
  subtree?: string;
};
