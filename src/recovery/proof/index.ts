/** Proofs: which instant is to be proven, when its cost is allowed, how it is brought up, looked at and taken away. */
export * from './budget.ts';
export * from './choose-proof.ts';
export { type ProveOptions, proofOfNothing, proveInstant, verdictOf } from './prove.ts';
