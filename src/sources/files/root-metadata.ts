/** What is known of the captured folder itself, as JSON values in the facts of a capture. */
import { z } from 'zod';
import type { FileMetadata } from '#base';
import { errors } from '../errors.ts';

const decimal = z.string().regex(/^-?\d{1,20}$/);

const rootSchema = z.object({
  permissions: z.number().int().min(0).max(0o7777),
  mtimeNs: decimal,
  uid: z.number().int().min(0).max(0xffff_ffff),
  gid: z.number().int().min(0).max(0xffff_ffff),
  /** Name and value, base64. */
  xattrs: z.array(z.tuple([z.base64(), z.base64()])),
});

export function encodeRoot(metadata: FileMetadata): z.infer<typeof rootSchema> {
  const { permissions, mtimeNs, uid, gid, xattrs } = metadata;
  return {
    permissions,
    mtimeNs: mtimeNs.toString(),
    uid,
    gid,
    xattrs: xattrs.map(({ name, value }) => [name.toString('base64'), value.toString('base64')]),
  };
}

/** Undefined where nothing was recorded. Throws `sources/root-unknown` for what `encodeRoot` didn't write. */
export function decodeRoot(recorded: unknown): FileMetadata | undefined {
  if (recorded === undefined) return undefined;
  const parsed = rootSchema.safeParse(recorded);
  if (!parsed.success) throw errors.rootUnknown([z.prettifyError(parsed.error)]);
  const { permissions, mtimeNs, uid, gid, xattrs } = parsed.data;
  return {
    kind: 'dir',
    permissions,
    mtimeNs: BigInt(mtimeNs),
    atimeNs: BigInt(mtimeNs),
    ctimeNs: 0n,
    uid,
    gid,
    user: '',
    group: '',
    inode: 0n,
    deviceId: 0n,
    links: 1n,
    sizeBytes: 0n,
    xattrs: xattrs.map(([name, value]) => ({
      name: Buffer.from(name, 'base64'),
      value: Buffer.from(value, 'base64'),
    })),
  };
}
