/**
 * Which control plane a repository belongs to: the one that captures into it and runs its retention. Noted in the
 * repository itself, because two control planes with a catalog each know nothing of each other.
 */
import { z } from 'zod';
import { systemClock } from '#base';
import type { Repository } from '#repository';
import { errors } from '../errors.ts';

const ownerSchema = z.object({
  controlPlane: z.string().max(200),
  epoch: z.number().int().nonnegative(),
  holder: z.string().max(500),
  sinceMs: z.number(),
});

export type RepositoryOwner = z.infer<typeof ownerSchema>;

export type OwnerClaim = { controlPlane: string; holder: string };

const fileOf = (scope: { name: string; stage: string }) => `owners/${scope.name}/${scope.stage}`;

/**
 * Makes this control plane the owner of one environment in the repository. Each claim raises the epoch. Throws
 * `app/owned-elsewhere` unless the environment is its own, nobody's, or `takeOver` says that the other one is lost.
 */
export async function claimRepository(
  repository: Repository,
  scope: { name: string; stage: string },
  claim: OwnerClaim,
  takeOver: boolean,
): Promise<RepositoryOwner> {
  const current = await readOwner(repository, scope);
  if (current && current.controlPlane !== claim.controlPlane && !takeOver) {
    throw errors.ownedElsewhere([current.holder], { where: repository.location });
  }
  const mine: RepositoryOwner = {
    controlPlane: claim.controlPlane,
    epoch: (current?.epoch ?? 0) + 1,
    holder: claim.holder,
    sinceMs: systemClock.nowMs(),
  };
  await repository.sealed.write(fileOf(scope), Buffer.from(JSON.stringify(mine)));
  await assertOwner(repository, scope, mine);
  return mine;
}

/** Throws `app/owned-elsewhere` where another control plane has claimed it since. Call before anything is removed. */
export async function assertOwner(
  repository: Repository,
  scope: { name: string; stage: string },
  mine: RepositoryOwner,
): Promise<void> {
  const current = await readOwner(repository, scope);
  if (current?.controlPlane === mine.controlPlane && current.epoch === mine.epoch) return;
  throw errors.ownedElsewhere([current?.holder ?? 'nobody'], { where: repository.location });
}

export async function readOwner(
  repository: Repository,
  scope: { name: string; stage: string },
): Promise<RepositoryOwner | undefined> {
  const bytes = await repository.sealed.readIfThere(fileOf(scope));
  return bytes && ownerSchema.parse(JSON.parse(bytes.toString('utf8')));
}
