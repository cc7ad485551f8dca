/** A snapshot's JSON, in restic's order of fields. What we don't know is kept for a rewrite. */
import os from 'node:os';
import { errors } from '../errors.ts';
import { isId } from '../names.ts';
import { goTime, goTimeMs } from './go-time.ts';

/** Times are kept as their strings (RFC 3339, up to nanoseconds). */
export type Snapshot = {
  /** Hex id; not in the JSON. */
  id: string;
  time: string;
  /** The same instant, ms since 1970. */
  timeMs: number;
  parent?: string;
  tree: string;
  paths: string[];
  hostname: string;
  username: string;
  uid: number;
  gid: number;
  excludes: string[];
  tags: string[];
  /** Fields that other programs wrote. */
  others: Record<string, unknown>;
};

export type NewSnapshot = {
  /** ms since 1970, or a string as Go writes it. */
  time: number | string;
  tree: string;
  paths: readonly string[];
  parent?: string;
  hostname?: string;
  username?: string;
  uid?: number;
  gid?: number;
  excludes?: readonly string[];
  tags?: readonly string[];
  others?: Record<string, unknown>;
};

/** restic's newer field for whoever wrote a snapshot: it tells ours from its own. */
const PROGRAM = 'holdfast';

/** Empty lists and zero ids are left out, as Go's `omitempty` does. */
export function encodeSnapshot(snapshot: NewSnapshot): string {
  const user = os.userInfo();
  return JSON.stringify({
    time: typeof snapshot.time === 'number' ? goTime(snapshot.time) : snapshot.time,
    parent: snapshot.parent,
    tree: snapshot.tree,
    paths: snapshot.paths,
    hostname: snapshot.hostname ?? os.hostname(),
    username: snapshot.username ?? user.username,
    uid: (snapshot.uid ?? Math.max(user.uid, 0)) || undefined,
    gid: (snapshot.gid ?? Math.max(user.gid, 0)) || undefined,
    excludes: filled(snapshot.excludes),
    tags: filled(snapshot.tags),
    program_version: PROGRAM,
    ...snapshot.others,
  });
}

/** Throws `repository/file-damaged` where the JSON is no snapshot. */
export function decodeSnapshot(id: string, json: unknown): Snapshot {
  const refuse = (why: string) => errors.fileDamaged([`snapshots/${id}`, why]);
  if (typeof json !== 'object' || json === null) throw refuse('it is no snapshot');
  const { time, parent, tree, paths, hostname, username, uid, gid, excludes, tags, ...others } =
    json as Record<string, unknown>;
  const timeMs = goTimeMs(String(time));
  if (Number.isNaN(timeMs)) throw refuse('it has no valid time');
  if (typeof tree !== 'string' || !isId(tree)) throw refuse('it has no tree');
  return {
    id,
    time: String(time),
    timeMs,
    ...(typeof parent === 'string' && isId(parent) && { parent }),
    tree,
    paths: texts(paths),
    hostname: String(hostname ?? ''),
    username: String(username ?? ''),
    uid: Number(uid ?? 0),
    gid: Number(gid ?? 0),
    excludes: texts(excludes),
    tags: texts(tags),
    others,
  };
}

function filled(list: readonly string[] | undefined): readonly string[] | undefined {
  return list && list.length > 0 ? list : undefined;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}
