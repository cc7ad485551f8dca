/** LSNs and WAL file names, as Postgres writes them. */

/** `0/4260F38`. */
export function formatLsn(offset: bigint): string {
  const high = (offset >> 32n).toString(16);
  const low = (offset & 0xffffffffn).toString(16);
  return `${high}/${low}`.toUpperCase();
}

/** Undefined where the text is no LSN. */
export function parseLsn(text: string): bigint | undefined {
  const match = /^([0-9a-f]{1,8})\/([0-9a-f]{1,8})$/i.exec(text.trim());
  if (!match) return undefined;
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

/** Where the segment that holds this offset begins. */
export function segmentStart(offset: bigint, segmentSizeBytes: number): bigint {
  return offset - (offset % BigInt(segmentSizeBytes));
}

/** `000000010000000000000004`: the file of the segment that holds this offset. */
export function segmentFileName(line: number, offset: bigint, segmentSizeBytes: number): string {
  const perHigh = 2n ** 32n / BigInt(segmentSizeBytes);
  const segment = offset / BigInt(segmentSizeBytes);
  return [BigInt(line), segment / perHigh, segment % perHigh]
    .map((part) => part.toString(16).toUpperCase().padStart(8, '0'))
    .join('');
}
