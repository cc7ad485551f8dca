/** The parts of holdfast.yaml that concern the environment as a whole, and the file around all parts. */
import { z } from 'zod';
import { checkPart } from './check.ts';
import { proofsPart } from './proofs.ts';
import { repositoryPart } from './repository.ts';
import { servicePart } from './service.ts';
import { storePart } from './store.ts';
import { duration, name, size, span, text } from './values.ts';

const ownersPart = z
  .strictObject({
    team: text.optional().describe('who builds the application'),
    recovery: text.optional().describe('who is called when it must be recovered'),
    data: text.optional().describe('who answers for the data'),
  })
  .describe('people or teams, named in plans, findings and evidence');

const objectivesPart = z
  .strictObject({
    rpo: duration.default(5_000).describe('how much time of data may be lost; 0 is synchronous'),
    rto: span.default(120_000).describe('how long a recovery may take'),
    proof: span.default(86_400_000).describe('how old the last proven recovery point may be'),
  })
  .describe('what recovery must achieve; missing one is shown');

const consistencyPart = z
  .strictObject({
    leader: name.optional().describe('the store whose instant the others follow'),
    skew: duration.default(5_000).describe('how far another store may be from the leader'),
  })
  .describe('how stores belong together in time');

const recoveryPart = z
  .strictObject({
    hydrate: z
      .enum(['automatic', 'asked'])
      .default('automatic')
      .describe(
        'whether a mounted recovery is brought here in the background by itself, where the disk has room, and then leaves its mounts by one restart of its databases',
      ),
    rate: size
      .default(64 * 1024 * 1024)
      .describe('how much of it is brought here in a second, at most; by default 64MiB'),
    mounting: z
      .enum(['ready', 'asked'])
      .default('ready')
      .describe(
        'whether a running control plane keeps a process at hand that mounts, which takes some 100 MiB of memory, or it is started by the first recovery',
      ),
  })
  .describe('how recoveries live beside production');

/** Everything but the stores' own fields, which the schema of each source checks. */
export const environmentSchema = z.strictObject({
  apiVersion: z.literal('holdfast/v1').describe('the version of this format'),
  name: name.describe('the environment: what must come back together'),
  stage: name.default('production').describe('production, staging, …'),
  owners: ownersPart.default({}),
  import: z
    .array(text)
    .default([])
    .describe('files and folders of infrastructure, captured with every recovery point'),
  repository: repositoryPart,
  objectives: objectivesPart.prefault({}),
  consistency: consistencyPart.prefault({}),
  recovery: recoveryPart.prefault({}),
  stores: z
    .record(name, storePart)
    .refine((stores) => Object.keys(stores).length > 0, { error: 'declares no store' })
    .describe('bodies of data, by name'),
  services: z.record(name, servicePart).default({}).describe('running applications, by name'),
  checks: z
    .record(name, checkPart)
    .default({})
    .describe('what must hold after a recovery, by name'),
  proofs: proofsPart,
});

export type DeclaredEnvironment = z.output<typeof environmentSchema>;
