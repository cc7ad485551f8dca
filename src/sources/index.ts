/** The sources: one folder for each kind of store, one interface (`source.ts`) for all of them. */
export type * from './source.ts';
