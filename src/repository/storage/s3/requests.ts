/** Requests to one bucket: so many at once, each with its time, and failures in our words. */
import type { S3Client } from '@aws-sdk/client-s3';
import { errors } from '../../errors.ts';
import type { S3Address } from './address.ts';
import { s3Errors } from './errors.ts';
import { s3Failure, statusOf } from './failures.ts';
import { RequestDeadline } from './request-deadline.ts';
import { RequestSlots } from './request-slots.ts';

export class S3Requests {
  readonly address: S3Address;
  readonly client: S3Client;
  readonly #slots: RequestSlots;
  readonly #underWay = new Set<RequestDeadline>();
  #closed = false;
  #wasReached = false;

  constructor(address: S3Address, client: S3Client, connections: number) {
    this.address = address;
    this.client = client;
    this.#slots = new RequestSlots(connections);
  }

  keyOf(name: string): { Bucket: string; Key: string } {
    return { Bucket: this.address.bucket, Key: this.address.prefix + name };
  }

  /** `bytes` are those that are sent or expected: they give the request its time. Throws what `s3Failure` makes. */
  ask<T>(
    operation: string,
    name: string,
    bytes: number,
    work: (deadline: RequestDeadline) => Promise<T>,
  ): Promise<T> {
    const { location } = this.address;
    return this.#slots.run(async () => {
      if (this.#closed) throw s3Errors.closed([location]);
      const deadline = new RequestDeadline(bytes);
      this.#underWay.add(deadline);
      try {
        const answer = await work(deadline);
        this.#wasReached = true;
        return answer;
      } catch (error) {
        if (this.#closed) throw s3Errors.closed([location]);
        if (deadline.hasPassed) throw errors.storageTimeout([operation, name, location]);
        if (statusOf(error) !== undefined) this.#wasReached = true;
        const wasReached = this.#wasReached;
        throw s3Failure(error, { operation, name, address: this.address, wasReached });
      } finally {
        deadline.clear();
        this.#underWay.delete(deadline);
      }
    });
  }

  /** Ends what is under way: those calls reject. */
  close(): void {
    this.#closed = true;
    for (const deadline of this.#underWay) deadline.abort();
    this.client.destroy();
  }
}
