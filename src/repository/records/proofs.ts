/** What was brought up and looked at. */
import { environmentFolder } from './names.ts';
import { lastPart, type RecordsHome, readRecords, writeRecord } from './record-files.ts';
import type { Proof } from './records.ts';

/** Durable when it resolves. The id must be made by `timedId(proof.startedAtMs)`: listings by time go by it. */
export async function writeProof(home: RecordsHome, proof: Proof): Promise<void> {
  const folder = environmentFolder('proofs', proof.environment, proof.stage);
  await writeRecord(home, 'proof', `${folder}${proof.id}`, proof);
}

/** Ids alone, oldest first; reads none. */
export async function listProofs(
  home: RecordsHome,
  environment: string,
  stage: string,
): Promise<string[]> {
  const names = await home.sealed.list(environmentFolder('proofs', environment, stage));
  return names.map(lastPart);
}

/** In the order of the ids. Throws `repository/not-in-storage`. */
export async function readProofs(
  home: RecordsHome,
  environment: string,
  stage: string,
  ids: readonly string[],
): Promise<Proof[]> {
  const folder = environmentFolder('proofs', environment, stage);
  return await readRecords(
    home,
    'proof',
    ids.map((id) => `${folder}${id}`),
  );
}

export async function removeProof(
  home: RecordsHome,
  environment: string,
  stage: string,
  id: string,
): Promise<void> {
  await home.sealed.remove(`${environmentFolder('proofs', environment, stage)}${id}`);
}
