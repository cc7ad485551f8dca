/** For tests: one folder of files under protection, with a real catalog and a repository in memory; no jobs, no loops. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { quietLogger, Secret } from '#base';
import { openCatalog } from '#catalog';
import { loadEnvironment } from '#environment';
import { createRepository, openStorage, type Storage } from '#repository';
import { findSource, type Source } from '#sources';
import type { Jobs } from '../durable/jobs.ts';
import { createActivity } from './activity.ts';
import type { ProtectionContext } from './context.ts';
import { captureInfrastructure } from './own-captures.ts';
import { publishCapture, publishPoint } from './publish.ts';
import { createSlots } from './slots.ts';
import { type ProtectedStore, StoreProtection } from './store-protection.ts';

export type TestProtection = {
  /** Holds `uploads/`, which is what is protected. */
  folder: string;
  context: ProtectionContext;
  store: StoreProtection;
  storage: Storage;
  remove(): Promise<void>;
};

/** `name` must be one that no other test of the process uses; `repository`: more fields of that section. */
export async function openTestProtection(name: string, repository = ''): Promise<TestProtection> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), `holdfast-${name}-`));
  await fs.chmod(folder, 0o755);
  await fs.mkdir(path.join(folder, 'uploads'));
  await fs.writeFile(
    path.join(folder, 'holdfast.yaml'),
    `apiVersion: holdfast/v1
name: shop
repository: {url: "memory:${name}", password: "\${TEST_PASSWORD}"${repository}}
stores:
  uploads: {type: files, path: "${folder}/uploads", protect: {every: 1h}, keep: 30d}
`,
  );
  const storage = await openStorage(`memory:${name}`);
  const opened = await createRepository({ storage, password: new Secret('secret') });
  const catalog = await openCatalog({
    kind: 'embedded',
    folder: path.join(folder, 'catalog'),
    log: quietLogger,
  });
  const environment = await loadEnvironment({
    file: path.join(folder, 'holdfast.yaml'),
    variables: { TEST_PASSWORD: 'secret' },
  });
  const context: ProtectionContext = {
    ...{ environment, repository: opened, catalog, folder },
    // Nothing here starts a job.
    jobs: undefined as unknown as Jobs,
    slots: createSlots(1),
    activity: createActivity(),
    proving: {
      folder: path.join(folder, 'proofs'),
      version: '0.0.0',
      controlPlane: 'cp-test',
      turn: createSlots(1),
    },
    log: quietLogger,
  };
  return {
    ...{ folder, context, storage },
    store: protectedStore(context),
    async remove() {
      await opened.close();
      await catalog.close();
      await fs.rm(folder, { recursive: true, force: true });
    },
  };
}

function protectedStore(context: ProtectionContext): StoreProtection {
  const { signal } = new AbortController();
  return new StoreProtection({
    context,
    store: context.environment.stores[0] as ProtectedStore,
    source: findSource('files') as Source,
    onCaptured: async (record) => {
      await publishCapture(context, record);
      const infrastructure = await captureInfrastructure(context, signal);
      await publishCapture(context, infrastructure);
      await publishPoint(context, new Map([['uploads', record]]), infrastructure.id);
    },
  });
}
