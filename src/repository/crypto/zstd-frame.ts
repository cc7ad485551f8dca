/** What the beginning of compressed bytes tells, before they are decompressed. */

/** What begins the content of an unpacked file that is compressed. */
export const ZSTD_MARK = 0x02;

const FRAME_MAGIC = 0xfd2fb528;
const MOST_HEADER_BYTES = 18;

/** What a frame's header says of its content's length, as far as 32 bits tell (RFC 8878, 3.1.1.1). */
export function zstdContentBytes(frame: Buffer): number | undefined {
  if (frame.length < MOST_HEADER_BYTES || frame.readUInt32LE(0) !== FRAME_MAGIC) return undefined;
  const descriptor = frame[4] as number;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  switch (descriptor >>> 6) {
    case 0:
      return isSingleSegment ? frame[at] : undefined;
    case 1:
      return frame.readUInt16LE(at) + 256;
    case 2:
      return frame.readUInt32LE(at);
    default:
      return frame.readUInt32LE(at + 4) === 0 ? frame.readUInt32LE(at) : undefined;
  }
}
