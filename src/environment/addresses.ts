/** Whether two addresses lead to the same server or folder, however they are written. */
import path from 'node:path';

const LOCAL_HOSTS: ReadonlySet<string> = new Set(['', 'localhost', '127.0.0.1', '[::1]', '::1']);

const DEFAULT_PORTS: Record<string, string> = {
  postgres: '5432',
  postgresql: '5432',
  mysql: '3306',
  redis: '6379',
  rediss: '6379',
  http: '80',
  https: '443',
};

/** `localhost:5432` of each server that an address names, or the folder. Empty where it is neither. */
export function endpointsOf(address: string): string[] {
  if (path.isAbsolute(address)) return [path.normalize(address).replace(/\/+$/, '') || '/'];
  const parts = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)[^?#]*(?:\?([^#]*))?/i.exec(address);
  if (parts === null) return keywordEndpoints(address);
  const [, scheme = '', authority = '', query = ''] = parts;
  const parameters = new URLSearchParams(query);
  const fallbackPort = parameters.get('port') ?? DEFAULT_PORTS[scheme.toLowerCase()] ?? '';
  const hosts = parameters.get('host') ?? authority.slice(authority.lastIndexOf('@') + 1);
  return hosts.split(',').map((host) => endpoint(host, fallbackPort));
}

/** Of libpq's `host=db port=5433 dbname=shop`. */
function keywordEndpoints(address: string): string[] {
  const host = /(?:^|\s)host(?:addr)?\s*=\s*'?([^\s']*)/.exec(address)?.[1];
  const port = /(?:^|\s)port\s*=\s*'?(\d+)/.exec(address)?.[1];
  if (host === undefined && port === undefined) return [];
  return (host ?? '').split(',').map((each) => endpoint(each, port ?? '5432'));
}

function endpoint(written: string, fallbackPort: string): string {
  const decoded = safelyDecoded(written);
  // A folder of sockets is this machine's server.
  if (decoded.startsWith('/')) return `localhost:${fallbackPort}`;
  const [, host = '', port] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(decoded) ?? [];
  const name = host.toLowerCase();
  return `${LOCAL_HOSTS.has(name) ? 'localhost' : name}:${port || fallbackPort}`;
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray % is no encoding: the text is taken as it is.
    return text;
  }
}

/** True where both name a server in common, or the one folder lies in the other. */
export function leadsToSame(address: string, other: string): boolean {
  const others = endpointsOf(other);
  return endpointsOf(address).some((one) =>
    others.some((two) => one === two || (one.startsWith('/') && one.startsWith(`${two}/`))),
  );
}
