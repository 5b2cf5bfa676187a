import { BackendError } from '@session-stores/core';

/** SQLite's primary result codes, of which its longer ones have the lower byte. */
const BUSY = 5;
const READONLY = 8;
const IOERR = 10;
const FULL = 13;
const CANTOPEN = 14;
const TOOBIG = 18;

/** The file, or its disk, does not serve now. */
const UNAVAILABLE = [READONLY, IOERR, FULL, CANTOPEN];

/** Whether another process is writing, which takes a moment. */
export function isBusy(error: unknown): boolean {
  return codeOf(error) === BUSY;
}

/** What an error of SQLite means. A write that was refused was undone, unless the disk failed while it was committed. */
export function explain(error: unknown, committing = false): BackendError {
  if (error instanceof BackendError) return error;
  const code = codeOf(error);
  if (code === TOOBIG) return BackendError.tooLarge('SQLite takes');
  const said = error instanceof Error ? error.message : String(error);
  const message = code === CANTOPEN ? 'the file cannot be opened, nor made: is its folder there?' : said;
  return new BackendError(message, {
    code: UNAVAILABLE.includes(code) ? 'UNAVAILABLE' : 'BACKEND',
    mayHaveHappened: committing && code === IOERR,
    cause: error,
  });
}

function codeOf(error: unknown): number {
  if (!(error instanceof Error)) return 0;
  if ('rawCode' in error) return Number(error.rawCode) & 0xff;
  // A file that cannot be opened has its code in the message.
  return Number(/local database .*: (\d+)"/s.exec(error.message)?.[1] ?? 0);
}
