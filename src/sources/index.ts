/** The sources: one folder for each kind of store, one interface (`source.ts`) for all of them. */
export * from './all.ts';
export { type FilesSettings, filesSchema } from './files/config.ts';
export * from './files/index.ts';
export type * from './parts.ts';
export type * from './source.ts';
