import { BackendError } from '@session-stores/core';

/** An error that the server has answered with; `code` is its SQLSTATE. */
interface ServerError extends Error {
  readonly code: string;
}

/** No such table, column or schema. */
const GONE = /^(42P01|42703|3F000)$/;

/** Another client has made the same at the same time. */
const RIVALLED = /^(42P07|23505|42710)$/;

/** A deadlock, or a conflict of transactions: the statement was undone, and may succeed now. */
const AGAIN = /^(40001|40P01)$/;

/** It does not write: it is a standby now. */
const READ_ONLY = /^25006$/;

/** It is there, and will serve again: starting, stopping, too many connections. */
const BUSY = /^(57P0[123]|53300)$/;

/** It ended the connection, maybe after it had done what was asked. */
const ENDED = /^57P0[12]$/;

/** Its statement time-out. */
const TOO_LATE = /^57014$/;

/** More than a value can hold. */
const TOO_LARGE = /^54000$/;

export function isServerError(error: unknown): error is ServerError {
  return (
    error instanceof Error && 'severity' in error && 'code' in error && /^\w{5}$/.test(String(error.code))
  );
}

export function isGone(error: unknown): boolean {
  return GONE.test(stateOf(error));
}

export function isRivalled(error: unknown): boolean {
  return RIVALLED.test(stateOf(error));
}

export function isWorthRepeating(error: unknown): boolean {
  return AGAIN.test(stateOf(error));
}

/** Whether the connection is of no more use. */
export function endsConnection(error: unknown): boolean {
  const state = stateOf(error);
  return state === '' || ENDED.test(state) || READ_ONLY.test(state);
}

/** What an error that the server has answered with means. */
export function refusal(error: ServerError, changes = false): BackendError {
  const { code, message } = error;
  if (TOO_LATE.test(code))
    return new BackendError(message, { code: 'TIMEOUT', mayHaveHappened: false, cause: error });
  if (TOO_LARGE.test(code)) return BackendError.tooLarge('PostgreSQL takes');
  return new BackendError(`${message} (${code})`, {
    code: BUSY.test(code) || READ_ONLY.test(code) ? 'UNAVAILABLE' : 'BACKEND',
    mayHaveHappened: changes && ENDED.test(code),
    cause: error,
  });
}

/** The SQLSTATE of the server's error, also where `refusal` has explained it; empty when it is none. */
function stateOf(error: unknown): string {
  const answer = error instanceof BackendError ? error.cause : error;
  return isServerError(answer) ? answer.code : '';
}
