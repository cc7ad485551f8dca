/** What is kept of an error where it can't be thrown: in a job's outcome, in an answer of the API. */
import { type ErrorKind, isHoldfastError, messageOf } from '#base';

export type Failure = {
  code: string;
  kind: ErrorKind;
  message: string;
  guidance: string;
  retryable: boolean;
  where?: string;
};

export function failureOf(error: unknown): Failure {
  if (!isHoldfastError(error)) {
    return {
      code: 'app/unexpected',
      kind: 'failed',
      message: messageOf(error),
      guidance: "The server's log lies in its state folder: server.log.",
      retryable: false,
    };
  }
  const { code, kind, message, guidance, retryable, where } = error;
  return { code, kind, message, guidance, retryable, ...(where === undefined ? {} : { where }) };
}
