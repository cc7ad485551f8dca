import fs from 'node:fs/promises';

const TAIL_BYTES = 4_096;
const TAIL_LINES = 8;

/** The end of a log for an error: `:` and up to eight lines below it, secrets hidden; '' where it is empty. */
export async function lastLines(file: string, secrets: readonly string[]): Promise<string> {
  const handle = await fs.open(file, 'r');
  try {
    return await lastLinesOf(handle, secrets);
  } finally {
    await handle.close();
  }
}

/** The same of an open file. */
export async function lastLinesOf(
  handle: fs.FileHandle,
  secrets: readonly string[],
): Promise<string> {
  const { size } = await handle.stat();
  // Read from further back than is shown, or the end of a secret could be left of one that was cut.
  const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES * 2));
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, size - buffer.length);
  let text = buffer.toString('utf8', 0, bytesRead);
  for (const secret of secrets) text = text.replaceAll(secret, '[secret]');
  const lines = text
    .slice(-TAIL_BYTES)
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '')
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
  return lines.length === 0 ? '' : `:\n${lines.slice(-TAIL_LINES).join('\n')}`;
}
