/** Files without any store around them: an entry of its own (`#sources/files`), which takes no other source along. */
export { compileExclusion, type Exclusion } from './exclusion.ts';
export { describeFailure, type WalkOptions, walkTree } from './walk.ts';
export { walkElsewhere } from './walk-elsewhere.ts';
export { walkFolders } from './walk-folders.ts';
