/** Extended attributes: the kernel first asks how long the answer is, then for the answer. */
import os from 'node:os';
import type { ExtendedAttribute } from '#base';
import type { FuseAnswer } from './reply.ts';
import { decodeName } from './wire.ts';

const { ENODATA, ERANGE } = os.constants.errno;
const NAME_AT = 8;

/** GETXATTR. */
export function answerAttribute(body: Buffer, xattrs: readonly ExtendedAttribute[]): FuseAnswer {
  const name = decodeName(body, NAME_AT);
  const found = xattrs.find((attribute) => attribute.name.equals(name));
  return found ? sized(body, found.value) : { errno: ENODATA };
}

/** LISTXATTR. */
export function answerAttributeNames(
  body: Buffer,
  xattrs: readonly ExtendedAttribute[],
): FuseAnswer {
  return sized(body, Buffer.concat(xattrs.flatMap(({ name }) => [name, Buffer.of(0)])));
}

function sized(body: Buffer, value: Buffer): FuseAnswer {
  const roomBytes = body.readUInt32LE(0);
  if (roomBytes > 0) return value.length <= roomBytes ? [value] : { errno: ERANGE };
  const length = Buffer.alloc(8);
  length.writeUInt32LE(value.length, 0);
  return [length];
}
