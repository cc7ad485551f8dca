import type { CommandSpec } from '../command.ts';
import { locationFrom, STORAGE_OPTIONS, storageFrom } from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'policy'],
  summary:
    "print the rights and rules by which stolen credentials can't harm a repository in a bucket",
  options: [
    ['-r, --repo <location>', 'where the repository lies or will lie (or HOLDFAST_REPOSITORY)'],
    ...STORAGE_OPTIONS,
    ['--every <span>', 'how often locks are extended: no longer ones may be set', '7d'],
    ['--offline', 'without asking the bucket which lock and which journals it has'],
  ],
  examples: [
    'holdfast repo policy --repo s3:s3.amazonaws.com/backups/shop -o s3.lock=compliance:30d --offline',
    'holdfast repo policy --repo s3:https://minio.example/backups/shop --json',
  ],
  exits: {
    1: 'the bucket failed',
    2: 'wrong usage, or no address of a bucket',
    4: 'the bucket refuses the credentials',
    5: 'no such bucket',
  },
  async run(_args, options, io) {
    const { bucketPolicies, pieceFolders, storageOptionsOf } = await import('#repository');
    const { listOf } = await import('../repository/session.ts');
    const { spanFrom } = await import('../frame/span.ts');
    const spanOf = { option: '--every', example: '7d', command: 'holdfast repo policy' };
    const everyMs = spanFrom(options.every, spanOf);
    const location = locationFrom(options);
    const asked = storageOptionsOf(listOf(options.option)).s3?.lock;
    bucketPolicies(location);
    const found = { lock: asked, folders: [] as string[] };
    if (options.offline !== true) {
      const storage = await storageFrom(location, options);
      try {
        found.lock ??= await storage.versions?.lock();
        found.folders = await pieceFolders(storage);
      } finally {
        await storage.close();
      }
    }
    const policies = bucketPolicies(location, {
      ...(found.lock && { lock: found.lock }),
      everyMs,
      pieceFolders: found.folders,
    });
    const show = (value: unknown) => io.say(`${JSON.stringify(value, undefined, 2)}\n`);
    const lock = found.lock
      ? `${found.lock.mode}, ${found.lock.days} days`
      : 'none, versions alone protect (choose one: -o s3.lock=compliance:30d)';
    io.say(`Lock of new files: ${lock}\n`);
    io.say('Set up once:');
    for (const line of policies.commands) io.say(`  ${line}`);
    io.say('\nlifecycle.json, by which the bucket clears away what nobody needs any more:');
    show(policies.lifecycle);
    io.say('Rights of who protects (adds and reads, removes nothing but locks):');
    show(policies.appendOnly);
    io.say(
      'Rights of the maintenance (retention, forget, prune), which remove files but no version.',
    );
    io.say(
      'For a control plane that clears away what is old, or for who runs `holdfast repo prune`:',
    );
    show(policies.maintenance);
    io.result(policies);
    return 0;
  },
};
