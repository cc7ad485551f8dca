/** The environment: holdfast.yaml read, checked and planned, and the runtimes that start its services. */
export type * from './model.ts';
