/** Writing all of some bytes: where a disk fills up, one call writes a part of them and says so by its number alone. */
import fs, { type promises } from 'node:fs';

/** Throws system errors: ENOSPC where only a part could be written. */
export function writeWholeSync(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += fs.writeSync(descriptor, bytes, done, bytes.length - done, position + done);
  }
}

/** The same without making the thread wait. */
export async function writeWhole(
  handle: promises.FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const left = bytes.length - done;
    const { bytesWritten } = await handle.write(bytes, done, left, position + done);
    done += bytesWritten;
  }
}
