import fs from 'node:fs/promises';

/**
 * What statfs(2) calls file systems of which one kernel sees and orders every change (linux/magic.h). Whoever comes to
 * them through a server has that server's kernel do it.
 */
const OF_ONE_MACHINE: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0xf2f52010, // F2FS
  0x2fc12fc1, // ZFS
  0xca451a4e, // bcachefs
  0x01021994, // tmpfs
]);

/** False where it isn't known, as of what is mounted from elsewhere. */
export async function isOfOneMachine(folder: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  try {
    const { type } = await fs.statfs(folder);
    // What the kernel keeps in 32 bits comes with a sign on some machines.
    return OF_ONE_MACHINE.has(type >>> 0);
  } catch {
    // What is wrong with the folder is told by whatever is done in it.
    return false;
  }
}
