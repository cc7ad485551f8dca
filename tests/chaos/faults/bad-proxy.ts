/**
 * A way to an S3 server that goes wrong by a script: it refuses, falls silent, cuts and alters what comes and goes, and
 * answers with what it has seen before. Whoever asks signs for this proxy's address, and the server takes that as it is.
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { sleepMs } from '#base';
import { FaultScript, type StorageOperation } from '../../../src/repository/storage/faulty.ts';

export type ProxyFault =
  /** An answer of that status, and nothing is done. */
  | { kind: 'status'; status: 400 | 404 | 403 | 500 | 503; code: string }
  /** Nothing is done and nothing answered. */
  | { kind: 'silent' }
  | { kind: 'slow'; delayMs: number }
  /** The connection ends while the answer is under way; `keepBytes` of its body came. */
  | { kind: 'broken-off'; keepBytes: number }
  /** A whole answer with less in it. */
  | { kind: 'cut-answer'; keepBytes: number }
  /** It is done, and nobody is told. */
  | { kind: 'answer-lost' }
  /** It is done only when whoever asked has long given up: at `settle`. */
  | { kind: 'done-late' }
  /** It is not done, and confirmed. */
  | { kind: 'lost' }
  /** A list as it was when the same was asked before. */
  | { kind: 'stale-list' }
  | { kind: 'wrong-bytes'; atByte: number }
  /** What was read before, of another object. */
  | { kind: 'other-object' }
  /** What the object held before it was replaced. */
  | { kind: 'old-bytes' };

export type BadProxy = {
  /** `http://127.0.0.1:PORT` */
  endpoint: string;
  script: FaultScript<ProxyFault>;
  /** What is to be done late is done now. */
  settle(): Promise<void>;
  close(): Promise<void>;
};

type Asked = {
  operation: StorageOperation;
  /** Of the object below the place, or the prefix of a list. */
  name: string;
  method: string;
  url: string;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
};

type Answer = { status: number; headers: http.OutgoingHttpHeaders; body: Buffer };

/** In front of `endpoint`; names in rules are those below `place` (`bucket/prefix/`). */
export async function startBadProxy(endpoint: string, place: string): Promise<BadProxy> {
  const way = new Way(endpoint, place);
  const server = http.createServer((request, response) => {
    way.serve(request, response).catch(() => {
      // As a way that breaks: whoever asked sees the connection end.
      request.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    script: way.script,
    settle: () => way.settle(),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      way.agent.destroy();
    },
  };
}

class Way {
  readonly script = new FaultScript<ProxyFault>();
  readonly agent = new http.Agent({ keepAlive: true });
  readonly #endpoint: string;
  readonly #place: string;
  readonly #late: Asked[] = [];
  /** Answers to lists by what was asked, and the last whole object that was read. */
  readonly #lists = new Map<string, Answer>();
  readonly #stored = new Map<string, Buffer>();
  readonly #replaced = new Map<string, Buffer>();
  #readBefore: { name: string; body: Buffer } | undefined;

  constructor(endpoint: string, place: string) {
    this.#endpoint = endpoint;
    this.#place = place;
  }

  async settle(): Promise<void> {
    for (const asked of this.#late.splice(0)) await this.#forward(asked);
  }

  async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const asked = await this.#read(request);
    const fault = this.script.faultFor(asked.operation, asked.name);
    switch (fault?.kind) {
      case 'status':
        return send(response, refusal(fault.status, fault.code));
      case 'silent':
        return;
      case 'done-late':
        this.#late.push(asked);
        return;
      case 'lost':
        return send(response, { status: 200, headers: { etag: '"0"' }, body: Buffer.alloc(0) });
      case 'slow':
        await sleepMs(fault.delayMs);
        break;
      case 'stale-list': {
        const stale = this.#lists.get(asked.url);
        if (stale) return send(response, stale);
        break;
      }
      default:
    }
    const answer = await this.#forward(asked);
    if (fault?.kind === 'answer-lost') {
      request.socket.destroy();
      return;
    }
    if (fault?.kind === 'broken-off') return breakOff(response, answer, fault.keepBytes);
    send(response, fault ? this.#altered(fault, asked, answer) : answer);
    this.#remember(asked, answer);
  }

  #altered(fault: ProxyFault, { name, headers }: Asked, answer: Answer): Answer {
    const { status, body } = answer;
    if (status >= 300 || body.length === 0) return answer;
    switch (fault.kind) {
      case 'cut-answer':
        return { ...answer, body: body.subarray(0, fault.keepBytes % body.length) };
      case 'wrong-bytes': {
        const at = fault.atByte % body.length;
        const wrong = Buffer.from(body);
        wrong[at] = (wrong[at] as number) ^ 1;
        return { ...answer, body: wrong };
      }
      case 'other-object':
        return this.#readBefore ? { ...answer, body: this.#readBefore.body } : answer;
      case 'old-bytes': {
        const old = this.#replaced.get(name);
        return old ? { ...answer, body: partOf(old, headers.range) } : answer;
      }
      default:
        return answer;
    }
  }

  #remember({ operation, name, url, body }: Asked, answer: Answer): void {
    if (answer.status >= 300) return;
    if (operation === 'list') this.#lists.set(url, answer);
    if (operation === 'read') this.#readBefore = { name, body: answer.body };
    if (operation !== 'write') return;
    const before = this.#stored.get(name);
    if (before) this.#replaced.set(name, before);
    this.#stored.set(name, body);
  }

  async #read(request: http.IncomingMessage): Promise<Asked> {
    const { method = 'GET', url = '/', headers } = request;
    const body = await buffer(request);
    const { pathname, searchParams } = new URL(url, this.#endpoint);
    const prefix = searchParams.get('prefix');
    const isList = method === 'GET' && searchParams.has('list-type');
    const path = isList ? (prefix ?? '') : decodeURIComponent(pathname).slice(1);
    const place = isList ? this.#place.slice(this.#place.indexOf('/') + 1) : this.#place;
    return {
      operation: isList ? 'list' : operationOf(method),
      name: path.startsWith(place) ? path.slice(place.length) : path,
      ...{ method, url, headers, body },
    };
  }

  #forward({ method, url, headers, body }: Asked): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(this.#endpoint);
      const options = { hostname, port, path: url, method, headers, agent: this.agent };
      const request = http.request(options, (response) => {
        const { 'transfer-encoding': _, ...kept } = response.headers;
        const status = response.statusCode ?? 502;
        buffer(response).then((whole) => resolve({ status, headers: kept, body: whole }), reject);
      });
      request.on('error', reject);
      request.end(body);
    });
  }
}

function operationOf(method: string): StorageOperation {
  switch (method) {
    case 'GET':
      return 'read';
    case 'PUT':
      return 'write';
    case 'HEAD':
      return 'stat';
    default:
      return 'remove';
  }
}

function send(response: http.ServerResponse, { status, headers, body }: Answer): void {
  const isHead = response.req.method === 'HEAD';
  const length = isHead ? {} : { 'content-length': body.length };
  response.writeHead(status, { ...headers, ...length });
  response.end(body);
}

function breakOff(response: http.ServerResponse, answer: Answer, keepBytes: number): void {
  const { status, headers, body } = answer;
  response.writeHead(status, { ...headers, 'content-length': body.length + 1 });
  response.write(body.subarray(0, keepBytes), () => response.destroy());
}

function refusal(status: number, code: string): Answer {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>by the script</Message></Error>`;
  return { status, headers: { 'content-type': 'application/xml' }, body: Buffer.from(body) };
}

function partOf(body: Buffer, range: string | undefined): Buffer {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  return from === undefined ? body : body.subarray(Number(from), Number(to) + 1);
}
