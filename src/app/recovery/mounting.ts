/** The client of the mounts that this host keeps of a repository. */
import type { Environment } from '#environment';
import { type MountClient, mountClient, mountServiceFolder } from '#recovery';
import type { Repository } from '#repository';

/** `root`: the folder of the recoveries that it serves. Starts nothing yet. */
export function mountsOf(
  environment: Environment,
  repository: Repository,
  root: string,
): MountClient {
  const { s3 } = environment.repository;
  return mountClient({
    repository,
    url: repository.location,
    storage: s3 ? { s3 } : {},
    folder: mountServiceFolder(root, repository.config.id),
  });
}
