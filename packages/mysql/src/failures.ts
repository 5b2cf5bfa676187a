import { BackendError } from '@session-stores/core';
import type { QueryError } from 'mysql2';

/** The table or a column is not there. */
const GONE = new Set([1146, 1054]);

/** Deadlock, lock wait, a row or table that changed meanwhile: the statement was undone, and may succeed now. */
const LOCKED = new Set([1205, 1213, 1020, 1615]);

/** The server does not write: it is a replica now. */
const READ_ONLY = new Set([1290, 1792, 1836]);

/** The server is there, and will serve again: too many connections, shutting down, offline, no quorum, a killed connection. */
const BUSY = new Set([1040, 1053, 1203, 1226, 1047, 3032, 1927, ...READ_ONLY]);

/** The server lost track while it committed. */
const UNSURE = new Set([1180]);

/** An error that the server has answered with, so that the statement was undone. */
export function isServerError(error: unknown): error is QueryError {
  return error instanceof Error && 'sqlState' in error && 'errno' in error && Number(error.errno) > 0;
}

export function isGone(error: unknown): boolean {
  return GONE.has(numberOf(error));
}

export function isLocked(error: unknown): boolean {
  return LOCKED.has(numberOf(error));
}

export function isReadOnly(error: unknown): boolean {
  return READ_ONLY.has(numberOf(error));
}

/** What an error that the server has answered with means. */
export function refusal(error: QueryError): BackendError {
  const number = numberOf(error);
  // Of a value that it does not take, the server quotes a part.
  const reason = error.message.replace(/value: '.*' for/s, 'value for');
  return new BackendError(error.code ? `${reason} (${error.code})` : reason, {
    code: BUSY.has(number) ? 'UNAVAILABLE' : 'BACKEND',
    mayHaveHappened: UNSURE.has(number),
    cause: error,
  });
}

/** The number of the server's error, also where `refusal` has explained it; 0 when it is none. */
function numberOf(error: unknown): number {
  const answer = error instanceof BackendError ? error.cause : error;
  return isServerError(answer) ? Number(answer.errno) : 0;
}
