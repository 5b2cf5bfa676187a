import { BackendError } from '@session-stores/core';

const DUPLICATE_KEY = 11000;
const TIME_LIMIT = 50;
const TOO_LARGE = [10334, 17419, 17420];
/** The primary is stepping down, or the server is shutting down or recovering. */
const NO_PRIMARY = [91, 189, 10058, 10107, 11600, 11602, 13435, 13436];

/** What cannot be put as BSON has not been sent. */
const NOT_BSON = /^(BSON.*|Range|Type)Error$/;

/** What ends a request that takes too long. */
export class TimeUp extends Error {}

/** What an error of the driver means. Where that is a missing connection without a reason, `lastConnectionError` is one. */
export function explain(error: unknown, sent: boolean, lastConnectionError: unknown): unknown {
  if (error instanceof BackendError) return error;
  const { name = '', message = String(error) } = error instanceof Error ? error : {};

  if (name === 'MongoServerError' || name === 'MongoWriteConcernError') {
    // A write concern that failed says that the write itself did not. A retryable one may have been sent before.
    const mayHaveHappened = sent && (name === 'MongoWriteConcernError' || isRetryable(error));
    return new BackendError(message, { code: meaningOf(codeOf(error)), mayHaveHappened, cause: error });
  }
  if (NOT_BSON.test(name)) return BackendError.refused(message);
  const tooLate = error instanceof TimeUp || name === 'MongoNetworkTimeoutError';
  if (!sent) return BackendError.notConnected(tooLate ? lastConnectionError : error);
  return tooLate ? BackendError.noAnswer(true) : BackendError.connectionLost(true, error);
}

/** A document with this id is there, and not as the filter wants it. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof BackendError && codeOf(error.cause) === DUPLICATE_KEY;
}

export function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}

function meaningOf(code: number | undefined): BackendError['code'] {
  if (code === undefined) return 'BACKEND';
  if (code === TIME_LIMIT) return 'TIMEOUT';
  if (TOO_LARGE.includes(code)) return 'TOO_LARGE';
  return NO_PRIMARY.includes(code) ? 'UNAVAILABLE' : 'BACKEND';
}

function isRetryable(error: unknown): boolean {
  return (
    error instanceof Error &&
    'errorLabels' in error &&
    Array.isArray(error.errorLabels) &&
    error.errorLabels.includes('RetryableWriteError')
  );
}
