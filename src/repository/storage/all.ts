import type { Storage } from './storage.ts';

/** `/folder`, `file:///folder`, `memory:name`. */
export declare function openStorage(url: string): Promise<Storage>;
