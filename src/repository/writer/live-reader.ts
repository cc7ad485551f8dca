/** Reading parts of files that others write to meanwhile, in a worker thread, synchronously. */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { OpenReadingCheck, ReadingCheck, ReadingChecker } from '#base';
import { IdList } from './id-list.ts';
import { type LivePart, type LivePartResult, systemErrorFacts } from './messages.ts';
import { openWithoutTrace, readWhole, requireRegularFile, staleFile } from './read-file.ts';

/** Stays in the processor's cache until it is hashed. */
const READ_BYTES = 512 * 1024;
/** A unit that is written while it is read is whole an instant later. */
const READINGS = 4;

/** Behind the path of what was removed since it was opened (Linux: proc_pid_fd(5)). */
const REMOVED = Buffer.from(' (deleted)');

/** Workers do nothing asynchronously: a module is loaded as they need it. */
const load = createRequire(import.meta.url);

export class LiveReader {
  readonly #opened = new Map<string, OpenReadingCheck>();
  #memory: Buffer = Buffer.alloc(0);

  /** Each chunk is given to `save`, which answers its id and whether it is new; it holds until that returns. */
  read(part: LivePart, save: (chunk: Buffer) => { id: Buffer; isNew: boolean }): LivePartResult {
    const ids = new IdList();
    const wrong: number[] = [];
    let newBytes = 0;
    try {
      this.#readChunks(part, wrong, (chunk) => {
        const { id, isNew } = save(chunk);
        ids.push(id);
        if (isNew) newBytes += chunk.length;
      });
      return { ids: ids.bytes(), newBytes, wrong };
    } catch (error) {
      const facts = systemErrorFacts(error);
      if (!facts) throw error;
      return facts.code === 'ENOENT' ? 'gone' : facts;
    }
  }

  #readChunks(part: LivePart, wrong: number[], onChunk: (chunk: Buffer) => void): void {
    const { chunkBytes, length, check } = part;
    const path = Buffer.from(part.path);
    const checker = check && this.#checker(check);
    const room = this.#room(checker, chunkBytes);
    const file = openWithoutTrace(path);
    try {
      requireRegularFile(fs.fstatSync(file), path);
      requireNoDetour(file, path);
      for (let done = 0; done < length; ) {
        const offset = part.offset + done;
        const bytes = room.subarray(0, Math.min(room.length, length - done));
        const there = readWhole(file, bytes, offset);
        // It was cut off since it was looked at, which its owner's journal tells too.
        bytes.fill(0, there.length);
        if (checker) wrong.push(...stillWrong(file, checker, bytes, offset));
        for (let at = 0; at < bytes.length; at += chunkBytes) {
          onChunk(bytes.subarray(at, at + chunkBytes));
        }
        done += bytes.length;
      }
    } finally {
      fs.closeSync(file);
    }
  }

  #checker({ module, settings }: ReadingCheck): ReadingChecker {
    let open = this.#opened.get(module);
    if (!open) {
      open = (load(fileURLToPath(module)) as { openReadingCheck: OpenReadingCheck })
        .openReadingCheck;
      this.#opened.set(module, open);
    }
    return open(settings);
  }

  /** Of whole chunks. */
  #room(checker: ReadingChecker | undefined, chunkBytes: number): Buffer {
    const wanted = Math.max(chunkBytes, READ_BYTES - (READ_BYTES % chunkBytes));
    if (checker) return checker.room(wanted).subarray(0, wanted);
    if (this.#memory.length !== wanted) this.#memory = Buffer.allocUnsafeSlow(wanted);
    return this.#memory;
  }
}

/**
 * Whoever writes to the files could put a link in the place of a folder above one: what lies elsewhere isn't theirs to have
 * read. Throws as `requireRegularFile` does.
 */
function requireNoDetour(file: number, path: Buffer): void {
  if (process.platform !== 'linux') return;
  const opened = fs.readlinkSync(`/proc/self/fd/${file}`, 'buffer');
  const isIt = opened.equals(path) || opened.equals(Buffer.concat([path, REMOVED]));
  if (!isIt) throw staleFile(path, 'reached by a link now');
}

/** `bytes`: in the checker's room, as read from this offset; what was wrong is as it was read last. */
function stillWrong(
  file: number,
  checker: ReadingChecker,
  bytes: Buffer,
  offset: number,
): number[] {
  let wrong = checker.wrongUnits(bytes, offset);
  for (let reading = 1; reading < READINGS && wrong.length > 0; reading += 1) {
    wrong = wrong.filter((at) => {
      const unit = bytes.subarray(at - offset, at - offset + checker.unitBytes);
      const there = readWhole(file, unit, at);
      unit.fill(0, there.length);
      return checker.wrongUnits(unit, at).length > 0;
    });
  }
  return wrong;
}
