/** How a bucket is spoken to. Everything has a default; addresses and credentials are apart. */
import type { Secret } from '#base';
import type { FileLock } from '../versions.ts';

export type S3Credentials = {
  accessKeyId: string;
  secretAccessKey: Secret;
  sessionToken?: Secret;
};

export type S3Options = {
  /** Default: what the host says, AWS_REGION, AWS_DEFAULT_REGION, us-east-1. */
  region?: string;
  /** Bucket in the path or in the host's name. Default: in the name at Amazon, in the path elsewhere. */
  addressing?: 'path' | 'virtual';
  /** PEM file of who signed the server's certificate. Default: AWS_CA_BUNDLE, else what Node trusts. */
  caFile?: string;
  /** Default: the standard chain (environment, profile, web identity, container, machine). */
  credentials?: S3Credentials;
  /** For packs of data alone (`STANDARD_IA`, …): trees, indexes and snapshots are read often and stay standard. */
  storageClass?: string;
  /** Default: the bucket's own rule for new objects. With this, a bucket that can't lock is refused at the first write. */
  lock?: FileLock;
  /** Requests at once. Default 8. */
  connections?: number;
  /** No byte in either direction for so long ends a request. Default 60 s. */
  idleTimeoutMs?: number;
};
