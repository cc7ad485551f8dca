/**
 * The header of a page (PostgreSQL: storage/bufpage.h): pd_lower u16 at 12, pd_upper u16 at 14, pd_special u16 at 16,
 * pd_pagesize_version u16 at 18.
 */
const HEADER_BYTES = 24;
const LAYOUT_VERSION = 4;

/** Whether no server could have written this page, as far as its header tells; one that was never used is all zero. */
export function badHeader(page: Buffer): boolean {
  const lower = page.readUInt16LE(12);
  const upper = page.readUInt16LE(14);
  const special = page.readUInt16LE(16);
  const sizeAndVersion = page.readUInt16LE(18);
  if (upper === 0) return page.some((byte) => byte !== 0);
  const isInOrder =
    HEADER_BYTES <= lower && lower <= upper && upper <= special && special <= page.length;
  return !isInOrder || sizeAndVersion !== page.length + LAYOUT_VERSION;
}
