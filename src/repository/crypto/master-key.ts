/** The repository's one key: encrypts and authenticates everything. It never changes while the repository lives. */
import { randomBytes } from '#base';

/** Plain bytes, so that it can be handed to worker threads by structured clone. Never log or serialise it. */
export type MasterKey = {
  /** AES-256 key, 32 bytes. */
  encrypt: Uint8Array;
  /** AES-128 key that makes Poly1305's s from the IV, 16 bytes. */
  macK: Uint8Array;
  /** Poly1305's r, 16 bytes; clamped at use, whatever was stored. */
  macR: Uint8Array;
};

export function newMasterKey(): MasterKey {
  return {
    encrypt: ownBytes(randomBytes(32)),
    macK: ownBytes(randomBytes(16)),
    macR: ownBytes(randomBytes(16)),
  };
}

/** Splits scrypt's 64 bytes the way restic does: encryption key, MAC k, MAC r. */
export function keyFromBytes(bytes: Uint8Array): MasterKey {
  return {
    encrypt: ownBytes(bytes.subarray(0, 32)),
    macK: ownBytes(bytes.subarray(32, 48)),
    macR: ownBytes(bytes.subarray(48, 64)),
  };
}

/** A copy with memory of its own: a view of Node's shared pool would carry its neighbours along to workers. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
