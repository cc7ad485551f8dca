/** `npm run campaign -- damage --count 2000 --seed 7`: prints figures, and ends with 1 where something failed. */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { Campaign } from './campaign.ts';
import { damage } from './damage.ts';
import { diskFull } from './disk-full.ts';
import { faults } from './faults.ts';
import { faultsS3 } from './faults-s3.ts';
import { fuzz } from './fuzz.ts';
import { kill } from './kill.ts';
import { mountKill } from './mount-kill.ts';
import { recoveryKill } from './recovery-kill.ts';
import { scale } from './scale.ts';
import { sequences } from './sequences.ts';

/** A new campaign is one line here. */
const campaigns: Readonly<Record<string, Campaign>> = {
  damage,
  'disk-full': diskFull,
  faults,
  'faults-s3': faultsS3,
  fuzz,
  kill,
  'mount-kill': mountKill,
  'recovery-kill': recoveryKill,
  scale,
  sequences,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string' },
    minutes: { type: 'string' },
    only: { type: 'string' },
    seed: { type: 'string' },
  },
});
const name = positionals[0] ?? '';
const campaign = campaigns[name];
const count = Number(values.count ?? campaign?.count);
const seed = Number(values.seed ?? randomBytes(4).readUInt32LE());
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
const badMinutes = minutes !== undefined && !(minutes > 0);
if (!campaign || badMinutes || !Number.isInteger(count) || count < 1 || !Number.isInteger(seed)) {
  process.stderr.write(
    'npm run campaign -- NAME [--count N | --minutes N] [--only PART] [--seed N]\n',
  );
  for (const [known, { summary }] of Object.entries(campaigns)) {
    process.stderr.write(`  ${known.padEnd(10)} ${summary}\n`);
  }
  process.exit(2);
}

const amount = minutes === undefined ? `${count} times` : `${minutes} min`;
process.stdout.write(`${name}: ${amount}, seed ${seed}\n`);
const startedMs = performance.now();
const { figures, failures } = await campaign.run({
  count,
  seed,
  ...(minutes !== undefined && { minutes }),
  ...(values.only !== undefined && { only: values.only }),
  note: (line) => process.stderr.write(`  ${line}\n`),
});
for (const [what, figure] of Object.entries(figures)) {
  process.stdout.write(`${String(figure).padStart(8)}  ${what}\n`);
}
for (const failure of failures) process.stdout.write(`✗ ${failure}\n`);
const tookS = Math.round((performance.now() - startedMs) / 1000);
process.stdout.write(`${failures.length} failures in ${tookS} s\n`);
process.exit(failures.length > 0 ? 1 : 0);
