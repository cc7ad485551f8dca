/** The declaration as it was captured: what a recovery goes by when holdfast.yaml itself was lost. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { type Environment, loadEnvironment } from '#environment';
import { restoreTree } from '#recovery';
import { listStores, newestCapture, type Repository, type StoreAddress } from '#repository';
import { errors } from '../errors.ts';
import { INFRASTRUCTURE_STORE } from '../protection/own-sources.ts';

const OVERLAY = /^holdfast\.([a-z0-9-]+)\.ya?ml$/;

/**
 * Writes the newest captured declaration to `<root>/declared/<environment>-<stage>/` and reads it there. Throws
 * `app/declaration-missing`, and `app/declaration-ambiguous` where the repository holds several environments and none
 * is named. Secrets are looked up on this host; those that it lacks stay unresolved.
 */
export async function capturedEnvironment(
  repository: Repository,
  root: string,
  wanted?: { name: string; stage: string },
): Promise<Environment> {
  const address = await theEnvironment(repository, wanted);
  const capture = await newestCapture(repository, address, ['infrastructure']);
  if (!capture) throw errors.declarationMissing([repository.location]);
  await repository.loadIndex();
  const snapshot = await repository.snapshots.load(capture.snapshot);
  const folder = path.join(root, 'declared', `${address.environment}-${address.stage}`);
  await restoreTree({
    repository,
    tree: snapshot.tree,
    subpath: 'declared',
    target: folder,
    existing: 'replace',
  });
  const names = await fs.readdir(folder);
  const overlay = names.find((name) => OVERLAY.exec(name)?.[1] === address.stage);
  const file = names.find((name) => /\.ya?ml$/.test(name) && name !== overlay);
  if (file === undefined) throw errors.declarationMissing([repository.location]);
  return await loadEnvironment({
    file: path.join(folder, file),
    // Services are started from where the command is given: a checkout of them, as a rule.
    folder: process.cwd(),
    // Addresses of a production that is gone need not be known to recover from it.
    missing: 'keep',
    ...(overlay === undefined ? {} : { stage: address.stage }),
  });
}

async function theEnvironment(
  repository: Repository,
  wanted: { name: string; stage: string } | undefined,
): Promise<StoreAddress> {
  const stores = await listStores(repository);
  const declared = stores.filter(({ store }) => store === INFRASTRUCTURE_STORE);
  const fitting = declared.filter(
    ({ environment, stage }) => !wanted || (environment === wanted.name && stage === wanted.stage),
  );
  const [address] = fitting;
  if (!address) throw errors.declarationMissing([repository.location]);
  if (fitting.length > 1) {
    const names = fitting.map(({ environment, stage }) => `${environment}/${stage}`);
    throw errors.declarationAmbiguous([names.join(', ')]);
  }
  return address;
}
