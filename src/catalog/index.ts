/**
 * The catalog: a Postgres (embedded or shared) that answers quickly what is protected, which captures, points and marks
 * there are, and who owns retention. All that recovery needs lies in the repository; this can be rebuilt from there.
 */
export { type Catalog, type CatalogOptions, openCatalog } from './catalog.ts';
export * from './leadership.ts';
export * from './queries/dump.ts';
export * from './queries/environments.ts';
export * from './queries/maintenance.ts';
export * from './queries/owner.ts';
export * from './queries/proofs.ts';
export * from './queries/records.ts';
