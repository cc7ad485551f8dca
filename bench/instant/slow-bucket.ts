/** A folder served as a bucket, each answer later than it could be: as far away as a region next door. Counts what is fetched. */
import fs from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const PAGE_KEYS = 1000;

export type SlowBucket = {
  /** For `openStorage`. */
  url: string;
  /** Bytes of objects that were sent so far. */
  sentBytes(): number;
  close(): Promise<void>;
};

/** Whoever asks is let in; clients only want to have something to say. */
export async function serveSlowly(folder: string, delayMs: number): Promise<SlowBucket> {
  process.env.AWS_ACCESS_KEY_ID ??= 'bench';
  process.env.AWS_SECRET_ACCESS_KEY ??= 'bench';
  let sent = 0;
  const server = http.createServer((request, response) => {
    const answering = wait(delayMs).then(() => answer(folder, request, response));
    answering.then(
      (bytes) => {
        sent += bytes;
      },
      (error: unknown) => response.destroy(error as Error),
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `s3:http://127.0.0.1:${port}/bench`,
    sentBytes: () => sent,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Resolves to how many bytes of an object were sent. */
async function answer(
  folder: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<number> {
  const url = new URL(request.url ?? '/', 'http://bucket');
  const key = decodeURIComponent(url.pathname.split('/').slice(2).join('/'));
  const file = path.join(folder, key);
  if (request.method === 'PUT') await store(file, request);
  else if (request.method === 'DELETE') fs.rmSync(file, { force: true });
  else if (key === '') return list(folder, url.searchParams, response);
  else return send(file, request, response);
  response.writeHead(request.method === 'DELETE' ? 204 : 200).end();
  return 0;
}

async function store(file: string, request: IncomingMessage): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, Buffer.concat(parts));
}

function send(file: string, request: IncomingMessage, response: ServerResponse): number {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile()) {
    response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>');
    return 0;
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = Number(range?.[1] ?? 0);
  const end = Math.min(range?.[2] ? Number(range[2]) + 1 : stat.size, stat.size);
  const length = end - start;
  const headers: http.OutgoingHttpHeaders = {
    'content-length': length,
    'last-modified': stat.mtime.toUTCString(),
    etag: `"${stat.mtimeMs}"`,
    ...(range && { 'content-range': `bytes ${start}-${end - 1}/${stat.size}` }),
  };
  response.writeHead(range ? 206 : 200, headers);
  if (request.method === 'HEAD' || length === 0) {
    response.end();
    return 0;
  }
  fs.createReadStream(file, { start, end: end - 1 }).pipe(response);
  return length;
}

function list(folder: string, asked: URLSearchParams, response: ServerResponse): number {
  const prefix = asked.get('prefix') ?? '';
  const after = asked.get('continuation-token') ?? '';
  const most = Number(asked.get('max-keys') ?? PAGE_KEYS);
  const keys = keysBelow(folder, prefix).filter((key) => key > after);
  const page = keys.slice(0, most);
  const contents = page.map((key) => {
    const { size, mtime } = fs.statSync(path.join(folder, key));
    return `<Contents><Key>${key}</Key><Size>${size}</Size><LastModified>${mtime.toISOString()}</LastModified></Contents>`;
  });
  const isCut = keys.length > page.length;
  const next = isCut ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
  response
    .writeHead(200, { 'content-type': 'application/xml' })
    .end(
      `<ListBucketResult><IsTruncated>${isCut}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`,
    );
  return 0;
}

function keysBelow(folder: string, prefix: string): string[] {
  const base = path.join(folder, prefix.slice(0, prefix.lastIndexOf('/') + 1));
  if (!fs.existsSync(base)) return [];
  return fs
    .readdirSync(base, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((key) => key.startsWith(prefix))
    .sort();
}
