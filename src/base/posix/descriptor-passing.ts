/** Open files handed over by another program, through a Unix socket (unix(7), SCM_RIGHTS). */
import fs from 'node:fs';
import { checkedCall, libcFunction, loadKoffi } from './libc.ts';

const socketpair = libcFunction<[number, number, number, Buffer]>(
  'int socketpair(int domain, int type, int protocol, void *pair)',
);
const recvmsg = libcFunction<[number, Buffer, number]>(
  'int64_t recvmsg(int fd, void *message, int flags)',
);

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;

/** Of `struct msghdr` and `struct cmsghdr` where pointers have 64 bits. */
const MESSAGE = { bytes: 56, parts: 16, partCount: 24, control: 32, controlBytes: 40 } as const;
const CONTROL = { bytes: 24, level: 8, type: 12, descriptor: 16 } as const;

export type DescriptorChannel = {
  /** To be inherited by the program that sends; both are closed by `close`. */
  theirs: number;
  /** What was sent so far; undefined where nothing was. Never waits. */
  take(): number | undefined;
  close(): void;
};

export function openDescriptorChannel(): DescriptorChannel {
  const pair = Buffer.alloc(8);
  checkedCall(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 'socketpair');
  const [ours, theirs] = [pair.readInt32LE(0), pair.readInt32LE(4)];
  return {
    theirs,
    take: () => receiveDescriptor(ours),
    close() {
      fs.closeSync(ours);
      fs.closeSync(theirs);
    },
  };
}

function receiveDescriptor(socket: number): number | undefined {
  const koffi = loadKoffi();
  // Memory that stays where it is, because the message says where.
  const [byte, part, control] = [1, 16, CONTROL.bytes].map((size) => koffi.alloc('uint8_t', size));
  try {
    const parts = Buffer.alloc(16);
    parts.writeBigUInt64LE(BigInt(koffi.address(byte)), 0);
    parts.writeBigUInt64LE(1n, 8);
    koffi.encode(part, koffi.array('uint8_t', 16), parts);
    const message = Buffer.alloc(MESSAGE.bytes);
    message.writeBigUInt64LE(BigInt(koffi.address(part)), MESSAGE.parts);
    message.writeBigUInt64LE(1n, MESSAGE.partCount);
    message.writeBigUInt64LE(BigInt(koffi.address(control)), MESSAGE.control);
    message.writeBigUInt64LE(BigInt(CONTROL.bytes), MESSAGE.controlBytes);
    if (recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 1) return undefined;
    if (message.readBigUInt64LE(MESSAGE.controlBytes) < BigInt(CONTROL.bytes - 4)) return undefined;
    const got = Buffer.from(koffi.decode(control, koffi.array('uint8_t', CONTROL.bytes)));
    const isDescriptor =
      got.readInt32LE(CONTROL.level) === SOL_SOCKET && got.readInt32LE(CONTROL.type) === SCM_RIGHTS;
    return isDescriptor ? got.readInt32LE(CONTROL.descriptor) : undefined;
  } finally {
    for (const memory of [byte, part, control]) koffi.free(memory);
  }
}
