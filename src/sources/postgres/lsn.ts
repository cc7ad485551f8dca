/** WAL addresses (LSN) as Postgres writes them, and the names of the files that hold them. */

/** `16/B374D848`; undefined where the text is no LSN. */
export function parseLsn(text: string): bigint | undefined {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (!match) return undefined;
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

export function formatLsn(lsn: bigint): string {
  return `${hex(lsn >> 32n)}/${hex(lsn & 0xffffffffn)}`;
}

/** First address of the segment that holds this one. */
/** What initdb makes where nothing else is asked for. */
export const DEFAULT_SEGMENT_SIZE_BYTES = 16 * 2 ** 20;

export function segmentStart(lsn: bigint, segmentSizeBytes: number): bigint {
  return lsn - (lsn % BigInt(segmentSizeBytes));
}

/** `000000010000000000000042`: the file of the segment that holds this address. */
export function segmentName(timeline: number, lsn: bigint, segmentSizeBytes: number): string {
  const size = BigInt(segmentSizeBytes);
  const number = lsn / size;
  const perLog = 0x1_0000_0000n / size;
  return [BigInt(timeline), number / perLog, number % perLog]
    .map((part) => hex(part).padStart(8, '0'))
    .join('');
}

/** `00000002.history` */
export function historyFileName(timeline: number): string {
  return `${hex(BigInt(timeline)).padStart(8, '0')}.history`;
}

function hex(value: bigint): string {
  return value.toString(16).toUpperCase();
}
