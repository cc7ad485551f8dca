/**
 * Extended attributes of a lazy folder. Where a store has none, the kernel is told so once and for all: it would ask for
 * one before every write.
 */
import os from 'node:os';
import { readXattrs, removeXattr, setXattr } from '#base';
import { decodeSetAttribute } from '../fuse/change-requests.ts';
import type { FuseAnswer } from '../fuse/reply.ts';
import { decodeName } from '../fuse/wire.ts';
import { answerAttribute, answerAttributeNames } from '../fuse/xattr-answers.ts';

const { EEXIST, ENODATA, ENOSYS } = os.constants.errno;
const CREATE = 1;
const REPLACE = 2;

export class FolderXattrs {
  readonly #hasAny: boolean;

  constructor(hasAny: boolean) {
    this.#hasAny = hasAny;
  }

  get(path: Buffer, body: Buffer): FuseAnswer {
    return this.#hasAny ? answerAttribute(body, readXattrs(path)) : { errno: ENOSYS };
  }

  list(path: Buffer, body: Buffer): FuseAnswer {
    return this.#hasAny ? answerAttributeNames(body, readXattrs(path)) : { errno: ENOSYS };
  }

  set(path: Buffer, body: Buffer): FuseAnswer {
    if (!this.#hasAny) return { errno: ENOSYS };
    const { name, value, flags } = decodeSetAttribute(body);
    const isThere = readXattrs(path).some((attribute) => attribute.name.equals(name));
    if (flags === CREATE && isThere) return { errno: EEXIST };
    if (flags === REPLACE && !isThere) return { errno: ENODATA };
    setXattr(path, { name, value: Buffer.from(value) });
    return [];
  }

  remove(path: Buffer, body: Buffer): FuseAnswer {
    if (!this.#hasAny) return { errno: ENOSYS };
    removeXattr(path, decodeName(body));
    return [];
  }
}
