/** `npm run campaign -- damage --count 2000 --seed 7`: prints figures, and ends with 1 where something failed. */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { messageOf } from '#base';
import type { Campaign } from './campaign.ts';
import { damage } from './damage.ts';
import { diskFull } from './disk-full.ts';
import { faults } from './faults.ts';
import { faultsS3 } from './faults-s3.ts';
import { fuzz } from './fuzz.ts';
import { kill } from './kill.ts';
import { mountFio } from './mount-fio.ts';
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
  'mount-fio': mountFio,
  'mount-kill': mountKill,
  'recovery-kill': recoveryKill,
  scale,
  sequences,
};

function asked() {
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
  if (!campaign) throw new Error(`no campaign is called ${JSON.stringify(name)}`);
  const count = Number(values.count ?? campaign.count);
  const seed = Number(values.seed ?? randomBytes(4).readUInt32LE());
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  if (!Number.isInteger(count) || count < 1) throw new Error('--count takes a whole number');
  if (!Number.isInteger(seed)) throw new Error('--seed takes a whole number');
  if (minutes !== undefined && !(minutes > 0)) throw new Error('--minutes takes a positive number');
  return { name, campaign, count, seed, minutes, only: values.only };
}

function refuse(error: unknown): never {
  const lines = [
    messageOf(error),
    'npm run campaign -- NAME [--count N | --minutes N] [--only PART] [--seed N]',
    ...Object.entries(campaigns).map(([name, { summary }]) => `  ${name.padEnd(13)} ${summary}`),
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exit(2);
}

let wanted: ReturnType<typeof asked>;
try {
  wanted = asked();
} catch (error) {
  refuse(error);
}

const { name, campaign, count, seed, minutes, only } = wanted;
const amount = minutes === undefined ? `${count} times` : `${minutes} min`;
process.stdout.write(`${name}: ${amount}, seed ${seed}\n`);
const startedMs = performance.now();
const { figures, failures } = await campaign.run({
  count,
  seed,
  ...(minutes !== undefined && { minutes }),
  ...(only !== undefined && { only }),
  note: (line) => process.stderr.write(`  ${line}\n`),
});
for (const [what, figure] of Object.entries(figures)) {
  process.stdout.write(`${String(figure).padStart(8)}  ${what}\n`);
}
for (const failure of failures) process.stdout.write(`✗ ${failure}\n`);
const tookS = Math.round((performance.now() - startedMs) / 1000);
process.stdout.write(`${failures.length} failures in ${tookS} s\n`);
process.exit(failures.length > 0 ? 1 : 0);
