/** The C library's 64 bits of a device number as the kernel's 32 (new_encode_dev of Linux). */
export function kernelDevice(device: bigint): number {
  const major = Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
  const minor = Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** The kernel's 32 bits as the C library's. */
export function libcDevice(device: number): bigint {
  const major = BigInt((device >>> 8) & 0xfff);
  const minor = BigInt((device & 0xff) | ((device >>> 12) & 0xfff00));
  return (minor & 0xffn) | (major << 8n) | ((minor & ~0xffn) << 12n);
}
