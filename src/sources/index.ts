/** The sources: one folder for each kind of store, one interface (`source.ts`) for all of them. */
export * from './all.ts';
export { type FilesSettings, filesSchema } from './files/config.ts';
export { compileExclusion, type Exclusion } from './files/exclusion.ts';
export { describeFailure, type WalkOptions, walkTree } from './files/walk.ts';
export { walkFolders } from './files/walk-folders.ts';
export type * from './source.ts';
