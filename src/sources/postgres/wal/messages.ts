/**
 * The messages within a physical replication stream (PostgreSQL documentation, "Streaming Replication Protocol").
 * Big-endian; times are microseconds since 2000.
 */

const MICROS_1970_TO_2000 = 946_684_800_000_000n;
const DATA = 0x77;
const KEEPALIVE = 0x6b;
const STATUS = 0x72;
const DATA_HEADER_BYTES = 25;
const KEEPALIVE_BYTES = 18;
const STATUS_BYTES = 34;

export type SenderMessage =
  | { kind: 'data'; offset: bigint; senderEnd: bigint; sentAtMs: number; bytes: Buffer }
  | { kind: 'keepalive'; senderEnd: bigint; sentAtMs: number; wantsReply: boolean };

/** Undefined where this is no message of the sender. `bytes` of data are a view. */
export function parseSenderMessage(message: Buffer): SenderMessage | undefined {
  if (message[0] === DATA && message.length >= DATA_HEADER_BYTES) {
    return {
      kind: 'data',
      offset: message.readBigUInt64BE(1),
      senderEnd: message.readBigUInt64BE(9),
      sentAtMs: toMs(message.readBigInt64BE(17)),
      bytes: message.subarray(DATA_HEADER_BYTES),
    };
  }
  if (message[0] === KEEPALIVE && message.length >= KEEPALIVE_BYTES) {
    return {
      kind: 'keepalive',
      senderEnd: message.readBigUInt64BE(1),
      sentAtMs: toMs(message.readBigInt64BE(9)),
      wantsReply: message[17] === 1,
    };
  }
  return undefined;
}

/**
 * Standby status update. Nothing is ever applied here, so that `remote_apply` can't take this receiver for a replica.
 * `flushed` 0 says that nothing is known to be durable.
 */
export function statusUpdate(status: {
  received: bigint;
  flushed: bigint;
  atMs: number;
  wantsReply: boolean;
}): Buffer {
  const message = Buffer.alloc(STATUS_BYTES);
  message[0] = STATUS;
  message.writeBigUInt64BE(status.received, 1);
  message.writeBigUInt64BE(status.flushed, 9);
  message.writeBigInt64BE(BigInt(Math.round(status.atMs * 1000)) - MICROS_1970_TO_2000, 25);
  message[33] = status.wantsReply ? 1 : 0;
  return message;
}

function toMs(micros: bigint): number {
  return Number(micros + MICROS_1970_TO_2000) / 1000;
}
