import os from 'node:os';
import { Secret } from '#base';
import { errors } from '../errors.ts';

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

export type TlsSettings = {
  mode: SslMode;
  /** PEM file of trusted roots, or `system` for those of the operating system. */
  rootCertificate?: string;
  certificate?: string;
  key?: string;
};

/** Where and as whom to connect, as libpq reads it from a URL. */
export type ConnectionSettings = {
  /** A name, an address, or the folder of a Unix socket (begins with `/`). */
  host: string;
  port: number;
  user: string;
  password?: Secret;
  database?: string;
  tls: TlsSettings;
  connectTimeoutMs: number;
  /** Idle time before the first TCP keepalive probe. */
  keepaliveIdleMs: number;
  applicationName: string;
};

const SSL_MODES: readonly SslMode[] = [
  'disable',
  'allow',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
];

const KNOWN_PARAMETERS = new Set([
  'host',
  'port',
  'user',
  'password',
  'dbname',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'connect_timeout',
  'keepalives_idle',
  'application_name',
]);

/**
 * Reads a `postgres://` or `postgresql://` URL with libpq's query parameters. What isn't understood is refused by
 * name, never ignored.
 * @throws postgres/url-invalid
 */
export function parseConnectionUrl(url: string): ConnectionSettings {
  const parsed = parseUrl(url);
  const query = parsed.searchParams;
  for (const name of query.keys()) {
    if (!KNOWN_PARAMETERS.has(name)) throw errors.urlInvalid([`the parameter ${name} isn't known`]);
  }
  const host = query.get('host') ?? decode(parsed.hostname).replace(/^\[(.*)\]$/, '$1');
  if (host.includes(',')) throw errors.urlInvalid(['it names several hosts: name one']);
  const password = query.get('password') ?? decode(parsed.password);
  const database = query.get('dbname') ?? decode(parsed.pathname.slice(1));
  return {
    host: host === '' ? 'localhost' : host,
    port: wholeNumber('port', query.get('port') ?? (parsed.port || '5432'), 1, 65_535),
    user: query.get('user') ?? (decode(parsed.username) || os.userInfo().username),
    ...(password === '' ? {} : { password: new Secret(password) }),
    ...(database === '' ? {} : { database }),
    tls: tlsSettings(query),
    connectTimeoutMs:
      1000 * wholeNumber('connect_timeout', query.get('connect_timeout') ?? '10', 1, 3600),
    keepaliveIdleMs:
      1000 * wholeNumber('keepalives_idle', query.get('keepalives_idle') ?? '10', 1, 7200),
    applicationName: query.get('application_name') ?? 'holdfast',
  };
}

/** `db1:5432`, without anything secret. */
export function addressOf(settings: Pick<ConnectionSettings, 'host' | 'port'>): string {
  return settings.host.includes(':')
    ? `[${settings.host}]:${settings.port}`
    : `${settings.host}:${settings.port}`;
}

/** Whether this host is the one that a URL names. */
export function isThisHost(host: string): boolean {
  if (host.startsWith('/') || host === 'localhost' || host === os.hostname()) return true;
  const addresses = Object.values(os.networkInterfaces()).flat();
  return addresses.some((address) => address?.address === host);
}

function parseUrl(url: string): URL {
  let parsed: URL;
  try {
    // `postgresql:///db?host=/run/postgresql` has no host, which URL takes for this scheme only without credentials.
    parsed = new URL(url.replace(/^(postgres(?:ql)?:\/\/[^/@?]*@)(?=[/?]|$)/, '$1localhost'));
  } catch {
    // The parser's error holds the whole text, and with it the password: it isn't passed on.
    throw errors.urlInvalid(['it is no URL']);
  }
  if (parsed.protocol !== 'postgres:' && parsed.protocol !== 'postgresql:') {
    throw errors.urlInvalid([`its scheme is ${parsed.protocol.slice(0, -1)}`]);
  }
  return parsed;
}

function tlsSettings(query: URLSearchParams): TlsSettings {
  const rootCertificate = query.get('sslrootcert') ?? undefined;
  const fallback: SslMode = rootCertificate === 'system' ? 'verify-full' : 'prefer';
  const mode = (query.get('sslmode') ?? fallback) as SslMode;
  if (!SSL_MODES.includes(mode)) {
    throw errors.urlInvalid([`sslmode is one of ${SSL_MODES.join(', ')}`]);
  }
  if (rootCertificate === 'system' && mode !== 'verify-full') {
    throw errors.urlInvalid(['sslrootcert=system is only safe with sslmode=verify-full']);
  }
  const certificate = query.get('sslcert') ?? undefined;
  const key = query.get('sslkey') ?? undefined;
  return {
    mode,
    ...(rootCertificate === undefined ? {} : { rootCertificate }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The part may be the password, so it isn't shown.
    throw errors.urlInvalid([
      'a % in it is not followed by two hexadecimal digits (write % as %25)',
    ]);
  }
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw errors.urlInvalid([`${name} is a whole number from ${least} to ${most}`]);
  }
  return value;
}
