/**
 * Properties are tried with new inputs in every run, which is how they find something. Only where a run decides about a
 * change (CI) are the inputs the same ones each time, so that its answer is about the change.
 */
import fc from 'fast-check';

const CI_SEED = 20_261_121;

if (process.env.CI) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: CI_SEED });
