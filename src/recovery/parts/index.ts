/**
 * Parts of stores, not only wholes: tables and rows of any instant into production, single files, what differs between
 * two instants, and until when a condition held. Databases are looked at in passing copies, mounted beside production.
 */
export * from './compare.ts';
export * from './files.ts';
export * from './last-held.ts';
export * from './passing-copy.ts';
