/**
 * The one error type of Holdfast. Each layer keeps a catalogue of its errors (`errors.ts` in its folder, made with
 * `errorCatalogue`): a stable code, what a person should do, whether the same call may succeed later.
 * Exit codes and HTTP statuses derive from `kind`.
 */

/** What an error means to whoever called. The order is that of the CLI's exit codes. */
export type ErrorKind =
  | 'failed' // exit 1: it went wrong
  | 'invalid' // exit 2: usage or invalid input
  | 'partial' // exit 3: done but for what is named
  | 'refused' // exit 4: by policy or access, a wrong password too
  | 'not-found' // exit 5
  | 'verdict' // exit 6: a verdict is fail or unknown, or something is unprotected
  | 'interrupted'; // exit 130

export type ErrorDetail = {
  /** Where it happened: `file:line:column`, a store, a step, a file. */
  where?: string;
  cause?: unknown;
  /** Machine-readable facts for `--json`; never a secret. */
  facts?: Record<string, unknown>;
};

export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: string;
  readonly kind: ErrorKind;
  /** What to do about it, in one or two sentences for a person. */
  readonly guidance: string;
  /** True where the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  readonly where: string | undefined;
  readonly facts: Record<string, unknown>;

  constructor(
    init: { code: string; kind: ErrorKind; message: string; guidance: string; retryable: boolean },
    detail: ErrorDetail = {},
  ) {
    super(init.message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = init.code;
    this.kind = init.kind;
    this.guidance = init.guidance;
    this.retryable = init.retryable;
    this.where = detail.where;
    this.facts = detail.facts ?? {};
  }
}

export type ErrorTemplate<Arguments extends readonly unknown[]> = {
  kind: ErrorKind;
  retryable?: boolean;
  message: (...args: Arguments) => string;
  guidance: string | ((...args: Arguments) => string);
};

// biome-ignore lint/suspicious/noExplicitAny: a catalogue mixes templates of any arguments; each call is typed below.
type Templates = Record<string, ErrorTemplate<any>>;

type Catalogue<T extends Templates> = {
  [K in keyof T]: T[K] extends ErrorTemplate<infer A>
    ? A extends readonly unknown[]
      ? (args: A, detail?: ErrorDetail) => HoldfastError
      : never
    : never;
};

/**
 * Makes a layer's catalogue. Codes are `<layer>/<kebab-name>`.
 * `const errors = errorCatalogue('repository', { packDamaged: { kind: 'failed', message: (id: string) => …, guidance: '…' } })`
 * and then `throw errors.packDamaged([id], { cause })`.
 */
export function errorCatalogue<const T extends Templates>(
  layer: string,
  templates: T,
): Catalogue<T> {
  const made: Record<string, unknown> = {};
  for (const [name, template] of Object.entries(templates)) {
    const code = `${layer}/${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    made[name] = (args: unknown[], detail?: ErrorDetail) =>
      new HoldfastError(
        {
          code,
          kind: template.kind,
          message: template.message(...args),
          guidance:
            typeof template.guidance === 'string' ? template.guidance : template.guidance(...args),
          retryable: template.retryable ?? false,
        },
        detail,
      );
  }
  return made as Catalogue<T>;
}

export function isHoldfastError(error: unknown, code?: string): error is HoldfastError {
  return error instanceof HoldfastError && (code === undefined || error.code === code);
}

/** The text of whatever was thrown, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Node's `code` of a system error (`ENOENT`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
