/** The text of BASE_BACKUP: bare keywords up to 14, an option list from 15 on. */
export type BaseBackupOptions = {
  label: string;
  checkpoint: 'fast' | 'spread';
  maxRateBytes?: number;
  /** The server reads a page with a wrong checksum again, so that one torn by a write under way isn't taken for damage. */
  verifyChecksums: boolean;
};

/** Nothing waits for the server's own archive, which is asked for once a second: the backup holds the WAL that it needs. */
export function baseBackupCommand(serverVersion: number, options: BaseBackupOptions): string {
  const label = quoteLiteral(options.label);
  const rateKilobytes =
    options.maxRateBytes === undefined ? undefined : Math.floor(options.maxRateBytes / 1024);
  if (serverVersion < 150_000) {
    return [
      `BASE_BACKUP LABEL ${label}`,
      options.checkpoint === 'fast' ? 'FAST' : '',
      'WAL NOWAIT TABLESPACE_MAP',
      options.verifyChecksums ? '' : 'NOVERIFY_CHECKSUMS',
      rateKilobytes === undefined ? '' : `MAX_RATE ${rateKilobytes}`,
      "MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'",
    ]
      .filter((part) => part !== '')
      .join(' ');
  }
  const list = [
    `LABEL ${label}`,
    `CHECKPOINT '${options.checkpoint}'`,
    'WAL true',
    'WAIT false',
    'TABLESPACE_MAP true',
    ...(rateKilobytes === undefined ? [] : [`MAX_RATE ${rateKilobytes}`]),
    "MANIFEST 'yes'",
    "MANIFEST_CHECKSUMS 'CRC32C'",
    `VERIFY_CHECKSUMS ${options.verifyChecksums}`,
  ];
  return `BASE_BACKUP (${list.join(', ')})`;
}

function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
