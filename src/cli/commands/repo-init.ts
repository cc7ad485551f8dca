import type { CommandSpec } from '../command.ts';
import {
  locationFrom,
  passwordFrom,
  REPOSITORY_OPTIONS,
  storageFrom,
} from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'init'],
  summary: 'make an empty repository, which restic can open too',
  options: REPOSITORY_OPTIONS,
  examples: [
    'holdfast repo init --repo /srv/backup --password-file ~/.holdfast-password',
    'holdfast repo init --repo s3:https://minio.example/backups/shop -o s3.lock=compliance:30d',
  ],
  exits: {
    1: 'its storage failed',
    2: 'wrong usage',
    4: 'there is a repository already, or no permission',
  },
  async run(_args, options, io) {
    const location = locationFrom(options);
    const password = await passwordFrom(options);
    const { createRepository } = await import('#repository');
    const storage = await storageFrom(location, options);
    const repository = await createRepository({ storage, password, cache: false });
    const { id } = repository.config;
    await repository.close();
    io.say(`Repository ${id.slice(0, 8)} made in ${repository.location}.`);
    io.say('Keep the password safe: without it nothing in there can ever be read.');
    io.say();
    io.say(`  back up   holdfast repo backup --repo ${location} PATH`);
    io.result({ id, location: repository.location });
    return 0;
  },
};
