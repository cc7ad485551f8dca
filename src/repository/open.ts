import type { Secret } from '#base';
import type { Repository } from './repository.ts';
import type { Storage } from './storage/storage.ts';

export declare function openRepository(options: {
  storage: Storage;
  password: Secret;
}): Promise<Repository>;

export declare function createRepository(options: {
  storage: Storage;
  password: Secret;
}): Promise<Repository>;
