/** A repository with a snapshot of a few files, as the process that mounts one for tests opens it. */
import { Secret } from '#base';
import { createRepository, openStorage } from '#repository';
import { type SavedFiles, saveFiles } from '../../src/repository/saved-files.fixture.ts';
import { SCRYPT } from './sample.ts';

/** That process has it, too. */
const PASSWORD = new Secret('lazy');

export type StoredFiles = { repository: string; tree: string };

export async function storeFiles(location: string, files: SavedFiles): Promise<StoredFiles> {
  const storage = await openStorage(location);
  const repository = await createRepository({ storage, password: PASSWORD, scrypt: SCRYPT });
  const { tree } = await saveFiles(repository, files);
  await repository.close();
  return { repository: location, tree };
}
