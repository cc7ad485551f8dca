/**
 * Recovery: from a repository and its password to stores and services that run, at a chosen instant. It never asks the
 * catalog.
 */
export type * from './request.ts';
