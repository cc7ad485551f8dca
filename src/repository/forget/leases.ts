/**
 * Leases: a snapshot that somebody reads bit by bit (a mount) and that must stay until they are done. They end by
 * themselves unless they are renewed, so that a reader who died keeps nothing for ever. Sealed under
 * `holdfast/leases/<snapshot>/<reader>`. A user's own `restic forget` knows nothing of them.
 */
import { systemClock } from '#base';
import { errors } from '../errors.ts';
import { isId } from '../names.ts';
import { finite, object, ShapeError, text } from '../records/shape.ts';
import type { Repository } from '../repository.ts';
import { removeIfAllowed } from '../sealed/remove-if-allowed.ts';

const FOLDER = 'leases/';

export type Lease = { snapshot: string; untilMs: number; by: string };

type Home = Pick<Repository, 'sealed'>;

const shape = object<Pick<Lease, 'untilMs' | 'by'>>({ untilMs: finite, by: text({ max: 1000 }) });

/** Taken, or renewed by the same reader. `by`: for people. Durable when it resolves. */
export async function leaseSnapshot(
  home: Home,
  snapshot: string,
  reader: string,
  { untilMs, by }: Pick<Lease, 'untilMs' | 'by'>,
): Promise<void> {
  await home.sealed.write(nameOf(snapshot, reader), Buffer.from(JSON.stringify({ untilMs, by })));
}

/** Idempotent. Where it may not be removed, it ends by its time. */
export async function endLease(home: Home, snapshot: string, reader: string): Promise<void> {
  await removeIfAllowed(home, nameOf(snapshot, reader));
}

/** Those that go on, by snapshot: the one that ends last. Removes those that ended. Throws where one can't be read. */
export async function readLeases(
  home: Home,
  nowMs = systemClock.nowMs(),
): Promise<Map<string, Lease>> {
  const leases = new Map<string, Lease>();
  for (const name of await home.sealed.list(FOLDER)) {
    const [snapshot = ''] = name.slice(FOLDER.length).split('/');
    const bytes = await home.sealed.readIfThere(name);
    if (!bytes || !isId(snapshot)) continue;
    const lease = { snapshot, ...decodeLease(name, bytes) };
    const known = leases.get(snapshot);
    if (lease.untilMs <= nowMs) await removeIfAllowed(home, name);
    else if (!known || known.untilMs < lease.untilMs) leases.set(snapshot, lease);
  }
  return leases;
}

/** For tables: `mounted on web1 until 10:42`. */
export function describeLease({ by, untilMs }: Lease): string {
  return `${by}, until ${new Date(untilMs).toISOString().slice(0, 16)}Z`;
}

function nameOf(snapshot: string, reader: string): string {
  return `${FOLDER}${snapshot}/${reader}`;
}

function decodeLease(name: string, bytes: Buffer): Pick<Lease, 'untilMs' | 'by'> {
  try {
    return shape(JSON.parse(bytes.toString('utf8')), 'lease');
  } catch (error) {
    if (!(error instanceof ShapeError) && !(error instanceof SyntaxError)) throw error;
    throw errors.recordInvalid([name, error.message], { cause: error });
  }
}
