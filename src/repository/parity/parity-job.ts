/** Parity in a worker thread: messages, and what the thread does with them. */
import { hash } from 'node:crypto';
import { freeNow } from '#base';
import { mendPack, sidecarOf } from './mend-pack.ts';
import { ReedSolomon } from './reed-solomon.ts';

type SidecarJob = { kind: 'sidecar'; packId: string; bytes: ArrayBuffer; overhead: number };
type MendJob = { kind: 'mend'; packId: string; bytes: ArrayBuffer; sidecar: ArrayBuffer };

export type ParityJob = SidecarJob | MendJob;

/** `bytes` are those of the pack's name. */
export type MendJobAnswer =
  | { outcome: 'whole'; bytes: ArrayBuffer }
  | { outcome: 'mended'; bytes: ArrayBuffer; damagedSectors: number; sectorBytes: number }
  | { outcome: 'beyond'; why: string };

type Answer = { answer: ArrayBuffer | MendJobAnswer | undefined; transfer: ArrayBuffer[] };

export class ParityJobs {
  readonly #code = new ReedSolomon();

  run(job: ParityJob): Answer {
    return job.kind === 'sidecar' ? this.#sidecar(job) : this.#mend(job);
  }

  #sidecar({ packId, bytes, overhead }: SidecarJob): Answer {
    const pack = new Uint8Array(bytes);
    // Parity of wrong bytes would be worth nothing, and nobody would notice before it is needed.
    if (hash('sha256', pack, 'hex') !== packId) return { answer: undefined, transfer: [] };
    const sidecar = new Uint8Array(sidecarOf(this.#code, packId, [pack], overhead)).buffer;
    freeNow(bytes);
    return { answer: sidecar, transfer: [sidecar] };
  }

  #mend({ packId, bytes, sidecar }: MendJob): Answer {
    const answer = mendPack(this.#code, packId, Buffer.from(bytes), Buffer.from(sidecar));
    if (answer.outcome === 'beyond') return { answer, transfer: [] };
    const right = answer.outcome === 'whole' ? bytes : new Uint8Array(answer.bytes).buffer;
    return { answer: { ...answer, bytes: right }, transfer: [right] };
  }
}
