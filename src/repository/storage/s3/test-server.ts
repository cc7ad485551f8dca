/**
 * For tests: a real S3 server, Ceph's radosgw over one monitor and one disk in a file, on loopback alone. It is up in
 * some seconds; start one for each test file. Its daemons die with the process that started them.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { CreateBucketCommand, PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import { freePort, randomBytes, sleepMs } from '#base';

const run = promisify(execFile);
const READY_WITHIN_MS = 60_000;
const ASK_AGAIN_MS = 50;

export type S3TestUser = { accessKeyId: string; secretAccessKey: string };

/** A policy without the user whom it is for. */
export type S3TestRights = { user: S3TestUser; policy: { Statement: readonly object[] } };

export type S3TestServer = {
  /** `http://127.0.0.1:PORT` */
  endpoint: string;
  /** The same with TLS: `https://127.0.0.1:PORT`, and the certificate of who signed it. */
  tlsEndpoint: string;
  caFile: string;
  /** May make buckets. */
  user: S3TestUser;
  /** For restic and for clients by the standard chain. */
  env: Record<string, string>;
  /** A further user, who owns nothing. */
  addUser: () => Promise<S3TestUser>;
  /** Of the user; with Object Lock also with versioning. */
  makeBucket: (name: string, options?: { objectLock?: boolean }) => Promise<void>;
  /** The rights of further users in a bucket, in place of those before. Without any they may do nothing. */
  allow: (bucket: string, rights: readonly S3TestRights[]) => Promise<void>;
  /** Ends the daemons and removes what they stored. */
  stop: () => Promise<void>;
};

export type S3TestServerOptions = {
  /** What the rules by which a bucket clears away take for a day. */
  daySeconds?: number;
};

export async function startS3TestServer({
  daySeconds = 86_400,
}: S3TestServerOptions = {}): Promise<S3TestServer> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-s3-'));
  const daemons: ChildProcess[] = [];
  const stop = async () => {
    await Promise.all(daemons.map(end));
    await fs.rm(folder, { recursive: true, force: true });
  };
  try {
    const [monPort, port, tlsPort] = [await freePort(), await freePort(), await freePort()];
    await writeConfiguration(folder, { monPort, port, tlsPort, daySeconds });
    await startDisk(folder, monPort, daemons);
    const endpoint = `http://127.0.0.1:${port}`;
    const gateway = () => daemon(folder, 'radosgw', ['-n', 'client.rgw']);
    await start(gateway, daemons, () => fetch(endpoint).then((answer) => answer.ok));
    const user = await addUser(folder);
    return {
      endpoint,
      tlsEndpoint: `https://127.0.0.1:${tlsPort}`,
      caFile: path.join(folder, 'certificate.pem'),
      user,
      env: { AWS_ACCESS_KEY_ID: user.accessKeyId, AWS_SECRET_ACCESS_KEY: user.secretAccessKey },
      addUser: () => addUser(folder),
      makeBucket: (name, { objectLock = false } = {}) =>
        send(endpoint, user, (client) =>
          client.send(
            new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: objectLock }),
          ),
        ),
      allow: (bucket, rights) =>
        send(endpoint, user, (client) =>
          client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: policyOf(rights) })),
        ),
      stop,
    };
  } catch (error) {
    const told = await lastWords(folder);
    await stop();
    throw new Error(`the S3 test server did not start\n${told}`, { cause: error });
  }
}

/** The end of each daemon's log, for whoever has to find out why one didn't start. */
async function lastWords(folder: string): Promise<string> {
  const logs = path.join(folder, 'log');
  const names = await fs.readdir(logs).catch(() => []);
  const texts = names.map(async (name) => {
    const lines = (await fs.readFile(path.join(logs, name), 'utf8')).trimEnd().split('\n');
    return `${name}:\n${lines.slice(-15).join('\n')}`;
  });
  return (await Promise.all(texts)).join('\n');
}

/** One monitor and one disk, without authentication between them. */
async function startDisk(folder: string, monPort: number, daemons: ChildProcess[]): Promise<void> {
  const conf = ['-c', path.join(folder, 'ceph.conf')];
  const monmap = path.join(folder, 'monmap');
  const { fsid } = await readFsid(folder);
  const address = `[v1:127.0.0.1:${monPort}]`;
  await run('monmaptool', ['--create', '--addv', 'a', address, '--fsid', fsid, monmap]);
  await run('ceph-mon', ['--mkfs', '-i', 'a', '--monmap', monmap, ...conf]);
  const ceph = (words: readonly string[]) => run('ceph', [...conf, ...words], { timeout: 10_000 });
  const uuid = randomUUID();
  const monitor = () => daemon(folder, 'ceph-mon', ['-i', 'a']);
  await start(monitor, daemons, async () => Boolean(await ceph(['osd', 'new', uuid])));
  await run('ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', uuid, ...conf]);
  const disk = () => daemon(folder, 'ceph-osd', ['-i', '0']);
  await start(disk, daemons, async () => {
    const { stdout } = await ceph(['osd', 'stat', '--format', 'json']);
    return (JSON.parse(stdout) as { num_up_osds: number }).num_up_osds === 1;
  });
}

const nameOf = ({ accessKeyId }: S3TestUser) => accessKeyId.toLowerCase();

async function addUser(folder: string): Promise<S3TestUser> {
  const user = {
    accessKeyId: `AK${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(20).toString('hex'),
  };
  const name = nameOf(user);
  const words = [
    ...['-c', path.join(folder, 'ceph.conf'), 'user', 'create'],
    ...[`--uid=${name}`, `--display-name=${name}`],
    ...[`--access-key=${user.accessKeyId}`, `--secret-key=${user.secretAccessKey}`],
  ];
  await until('a user', async () => Boolean(await run('radosgw-admin', words)));
  return user;
}

/** The caller ends it. */
export function testClient(endpoint: string, credentials: S3TestUser): S3Client {
  return new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
}

async function send(
  endpoint: string,
  credentials: S3TestUser,
  ask: (client: S3Client) => Promise<unknown>,
): Promise<void> {
  const client = testClient(endpoint, credentials);
  try {
    await ask(client);
  } finally {
    client.destroy();
  }
}

function policyOf(rights: readonly S3TestRights[]): string {
  const statements = rights.flatMap(({ user, policy }) =>
    policy.Statement.map((statement, at) => ({
      ...statement,
      Sid: `${nameOf(user)}-${at}`,
      Principal: { AWS: [`arn:aws:iam:::user/${nameOf(user)}`] },
    })),
  );
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

/** In the foreground; killed by the kernel when this process dies, however that happens. */
function daemon(folder: string, command: string, words: readonly string[]): ChildProcess {
  const conf = path.join(folder, 'ceph.conf');
  const all = ['--pdeathsig', 'KILL', command, '-f', ...words, '-c', conf];
  return spawn('setpriv', all, { stdio: 'ignore', cwd: folder });
}

/**
 * Waits until it does its work. Every client of Ceph may send its first command before it knows the cluster's id, and is
 * refused then: who ended by that is started again, and who only asked asks again.
 */
async function start(
  begin: () => ChildProcess,
  daemons: ChildProcess[],
  works: () => Promise<boolean>,
): Promise<void> {
  let child = begin();
  daemons.push(child);
  await until(child.spawnargs.join(' '), async () => {
    if (hasEnded(child)) {
      child = begin();
      daemons.push(child);
    }
    return works();
  });
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** What it stored goes away anyway: there is nothing to end in order. */
async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  await new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGKILL');
  });
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${READY_WITHIN_MS} ms`);
    await sleepMs(ASK_AGAIN_MS);
  }
}

async function readFsid(folder: string): Promise<{ fsid: string }> {
  const text = await fs.readFile(path.join(folder, 'ceph.conf'), 'utf8');
  return { fsid: /^fsid = (.*)$/m.exec(text)?.[1] as string };
}

async function writeConfiguration(
  folder: string,
  { monPort, port, tlsPort, daySeconds }: Record<string, number>,
): Promise<void> {
  for (const name of ['mon', 'osd', 'log']) await fs.mkdir(path.join(folder, name));
  const certificate = path.join(folder, 'certificate.pem');
  const key = path.join(folder, 'key.pem');
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-subj', '/CN=holdfast-test', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'],
    ...['-keyout', key, '-out', certificate],
  ]);
  const text = `[global]
fsid = ${randomUUID()}
mon_host = [v1:127.0.0.1:${monPort}]
mon_initial_members = a
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
run_dir = ${folder}
pid_file = ${folder}/$name.pid
log_file = ${folder}/log/$name.log
admin_socket = ${folder}/$name.asok
# One disk, and one placement group for each pool.
osd_pool_default_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_data_avail_crit = 1
mon_data_avail_warn = 1
# Changes of the cluster's map are frequent at the start, and would wait a second each.
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
osd_objectstore = bluestore
bluestore_block_size = 8589934592
bluestore_block_create = true
bluestore_fsck_on_mount = false
bluestore_cache_autotune = false
bluestore_cache_size = 33554432
osd_class_load_list = *
osd_class_default_list = *
[mon.a]
mon_data = ${folder}/mon
[osd.0]
osd_data = ${folder}/osd
[client.rgw]
rgw_thread_pool_size = 64
${daySeconds === 86_400 ? '' : `rgw_lc_debug_interval = ${daySeconds}\n`}# Buckets as parts of host names, for who resolves those.
rgw_dns_name = s3.holdfast.test
rgw_frontends = beast endpoint=127.0.0.1:${port} ssl_endpoint=127.0.0.1:${tlsPort} ssl_certificate=${certificate} ssl_private_key=${key}
`;
  await fs.writeFile(path.join(folder, 'ceph.conf'), text, { mode: 0o600 });
}
