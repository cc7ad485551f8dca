/** One mounted file system: requests come in from a thread that waits for them, and are answered here. */
import os from 'node:os';
import { Worker } from 'node:worker_threads';
import { answerInit, LISTS_ATTRIBUTES } from './init.ts';
import { type KernelMount, type KernelMountOptions, mountDevice } from './kernel.ts';
import { OPCODE } from './opcodes.ts';
import { type FuseAnswer, sendAnswer } from './reply.ts';
import { decodeForgets, decodeRequest, type FuseRequest } from './wire.ts';

/** A file system as the session asks it. */
export interface FuseFileSystem {
  /** Rejecting is answered as EIO; it never ends the session. */
  answer(request: FuseRequest): FuseAnswer | Promise<FuseAnswer>;
  /** The kernel has forgotten so many of its lookups of this node. */
  forget(node: bigint, lookups: bigint): void;
}

export type FuseSession = {
  folder: string;
  /** Resolves when the file system is unmounted, whoever did it. Rejects where the device failed. */
  ended: Promise<void>;
  /** Unmounts, and resolves when all is cleared up. Idempotent. */
  end(): Promise<void>;
};

const { EIO, ENOSYS } = os.constants.errno;

/** Mounts and serves. Throws what `mountDevice` does and `recovery/fuse-too-old`. */
export async function startSession(
  folder: string,
  fileSystem: FuseFileSystem,
  options: KernelMountOptions,
): Promise<FuseSession> {
  const mount = await mountDevice(folder, options);
  const serving = new Serving(mount.descriptor, fileSystem);
  const ended = clearedUp(serving.ended, mount);
  const end = async () => {
    await mount.unmount();
    await ended;
  };
  try {
    await Promise.race([serving.agreed, ended]);
  } catch (error) {
    await end().catch(() => {
      // What went wrong first is what is told.
    });
    throw error;
  }
  return { folder, ended, end };
}

async function clearedUp(served: Promise<void>, mount: KernelMount): Promise<void> {
  try {
    await served;
  } finally {
    await mount.unmount();
    mount.close();
  }
}

class Serving {
  readonly #descriptor: number;
  readonly #fileSystem: FuseFileSystem;
  readonly #reader: Worker;
  readonly #agreement = Promise.withResolvers<void>();
  /** Answers on their way; the device must stay open for them. */
  readonly #underWay = new Set<Promise<void>>();
  /** The kernel and we have agreed on a version. */
  readonly agreed = this.#agreement.promise;
  readonly ended: Promise<void>;

  constructor(descriptor: number, fileSystem: FuseFileSystem) {
    this.#descriptor = descriptor;
    this.#fileSystem = fileSystem;
    this.#reader = new Worker(new URL('./reader-thread.ts', import.meta.url), {
      workerData: { descriptor },
      trackUnmanagedFds: false,
    });
    this.#reader.on('message', (bytes: Uint8Array) => this.#take(bytes));
    this.ended = this.#untilReaderEnds();
  }

  async #untilReaderEnds(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#reader.once('error', reject).once('exit', () => resolve());
    });
    await Promise.all(this.#underWay);
  }

  #take(bytes: Uint8Array): void {
    const request = decodeRequest(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    if (!request) return;
    if (request.opcode === OPCODE.forget) {
      this.#fileSystem.forget(request.node, request.body.readBigUInt64LE(0));
    } else if (request.opcode === OPCODE.batchForget) {
      for (const { node, lookups } of decodeForgets(request.body)) {
        this.#fileSystem.forget(node, lookups);
      }
    } else if (request.opcode === OPCODE.init) {
      this.#agree(request);
    } else if (request.opcode !== OPCODE.interrupt) {
      const answering = this.#answer(request).finally(() => this.#underWay.delete(answering));
      this.#underWay.add(answering);
    }
  }

  #agree(request: FuseRequest): void {
    try {
      this.#send(request.unique, [answerInit(request.body, LISTS_ATTRIBUTES)]);
      this.#agreement.resolve();
    } catch (error) {
      this.#send(request.unique, { errno: EIO });
      this.#agreement.reject(error);
    }
  }

  async #answer(request: FuseRequest): Promise<void> {
    this.#send(request.unique, await this.#ask(request));
  }

  async #ask(request: FuseRequest): Promise<FuseAnswer> {
    if (request.opcode === OPCODE.destroy) return [];
    try {
      return await this.#fileSystem.answer(request);
    } catch {
      // A program can be told no more than a number; the file system itself notes what went wrong.
      return { errno: EIO };
    }
  }

  #send(unique: bigint, answer: FuseAnswer): void {
    sendAnswer(this.#descriptor, unique, answer);
  }
}

export const NOT_SUPPORTED: FuseAnswer = { errno: ENOSYS };
