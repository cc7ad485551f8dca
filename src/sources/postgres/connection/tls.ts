import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { systemCode } from '#base';
import { errors } from '../errors.ts';
import type { ConnectionSettings, TlsSettings } from './settings.ts';

/** One way to try a connection: `false` is plain. */
export type TlsAttempt = false | ConnectionOptions;

/**
 * The ways to connect, in the order of libpq's sslmode (PostgreSQL documentation, "SSL Mode Descriptions"): `allow`
 * tries plain first, `prefer` TLS first, `require` checks the certificate only where a root certificate is at hand.
 * Unix sockets know no TLS.
 * @throws postgres/certificate-unreadable
 */
export async function tlsAttempts(settings: ConnectionSettings): Promise<TlsAttempt[]> {
  const { mode } = settings.tls;
  if (settings.host.startsWith('/') || mode === 'disable') return [false];
  const client = await clientCertificate(settings.tls);
  const unverified: ConnectionOptions = { ...client, rejectUnauthorized: false };
  if (mode === 'allow') return [false, unverified];
  if (mode === 'prefer') return [unverified, false];
  const trusted = await trustedRoots(settings.tls);
  if (mode === 'verify-full') return [{ ...client, ...trusted, rejectUnauthorized: true }];
  if (mode === 'require' && trusted === undefined) return [unverified];
  return [
    { ...client, ...trusted, rejectUnauthorized: true, checkServerIdentity: () => undefined },
  ];
}

async function trustedRoots(tls: TlsSettings): Promise<Pick<ConnectionOptions, 'ca'> | undefined> {
  if (tls.rootCertificate === 'system') return {};
  const file = tls.rootCertificate ?? inHome('root.crt');
  const ca = await readIfThere(file);
  if (ca !== undefined) return { ca };
  if (tls.mode === 'require' && tls.rootCertificate === undefined) return undefined;
  throw errors.certificateUnreadable(['sslrootcert', file]);
}

async function clientCertificate(
  tls: TlsSettings,
): Promise<Pick<ConnectionOptions, 'cert' | 'key'>> {
  const certificateFile = tls.certificate ?? inHome('postgresql.crt');
  const cert = await readIfThere(certificateFile);
  if (cert === undefined) {
    if (tls.certificate === undefined) return {};
    throw errors.certificateUnreadable(['sslcert', certificateFile]);
  }
  const keyFile = tls.key ?? inHome('postgresql.key');
  const key = await readIfThere(keyFile);
  if (key === undefined) throw errors.certificateUnreadable(['sslkey', keyFile]);
  return { cert, key };
}

function inHome(name: string): string {
  return path.join(os.homedir(), '.postgresql', name);
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await fs.readFile(file);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw errors.certificateUnreadable(['certificate', file], { cause });
  }
}
