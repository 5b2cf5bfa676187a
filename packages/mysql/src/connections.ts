import { Duplex } from 'node:stream';
import { BackendError, type Caller } from '@session-stores/core';
import type { Pool, PoolConnection, QueryError } from 'mysql2';

export type Value = Buffer | number;

/** What the server answers: rows, each an array in the order of the columns, or what a change did. */
export interface Reply {
  readonly rows: readonly (readonly unknown[])[];
  readonly affectedRows: number;
  /** What the statement passed to `LAST_INSERT_ID(…)`, 0 when it passed nothing. */
  readonly insertId: number;
}

export interface Statement {
  readonly sql: string;
  readonly values?: readonly Value[];
  /** Whether it may wait for rows that another client has locked. */
  readonly locks?: boolean;
  /** How often it is tried when it meets a deadlock or a lock that does not go away. */
  readonly attempts?: number;
}

/** The least that all servers take, in seconds. */
const SHORT_WAITS = 'SESSION innodb_lock_wait_timeout = 1, SESSION lock_wait_timeout = 1';

/** The connections of an injected pool are the application's: they go back as they came. */
const BORROW = `SET @session_stores_rows = @@innodb_lock_wait_timeout, @session_stores_tables = @@lock_wait_timeout, ${SHORT_WAITS}`;
const RETURN =
  'SET SESSION innodb_lock_wait_timeout = @session_stores_rows, SESSION lock_wait_timeout = @session_stores_tables';

/** How long a statement may then wait for the table and for a row, for which MySQL takes almost twice the time. */
const LONGEST_WAIT_MS = 3500;

/** The statement's own words, beside the values in a packet. */
const PACKET_OVERHEAD = 4096;

/** How long giving a connection back may take. */
const RETURN_MS = 1000;

const ATTEMPTS = 3;

/** What a connection takes in one packet, once it was asked; several stores may be on one pool. */
const packetLimits = new WeakMap<PoolConnection, number>();

/** Runs statements on a mysql2 pool so that each is over when its caller is: neither waiting, nor queued, nor half sent. */
export class Connections {
  readonly #pool: Pool;
  readonly #owned: boolean;

  constructor(pool: Pool, owned: boolean) {
    this.#pool = pool;
    this.#owned = owned;
  }

  /** @throws {BackendError} */
  async run(caller: Caller, statement: Statement): Promise<Reply> {
    const { attempts = ATTEMPTS } = statement;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(caller, statement);
      } catch (error) {
        if (!isServerError(error)) throw error;
        if (attempt >= attempts || !AGAIN.has(error.errno ?? 0)) throw refusal(error);
        caller.check();
      }
    }
  }

  close(): Promise<void> {
    if (!this.#owned) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#pool.end((error) => (error ? reject(error) : resolve()));
    });
  }

  async #attempt(caller: Caller, { sql, values = [], locks = false }: Statement): Promise<Reply> {
    const connection = await this.#take();
    let borrowed = false;
    try {
      caller.check();
      const limit = packetLimits.get(connection) ?? (await this.#meet(connection, caller));
      const size = values.reduce<number>(
        (sum, value) => sum + (Buffer.isBuffer(value) ? value.length : 8),
        0,
      );
      if (size + PACKET_OVERHEAD > limit) {
        // The server would drop the connection.
        const problem = `the session is larger than the ${limit} bytes that the server takes (max_allowed_packet)`;
        throw new BackendError(problem, { code: 'TOO_LARGE', mayHaveHappened: false });
      }
      if (locks && !this.#owned) {
        borrowed = true;
        await ask(connection, BORROW, caller.timeLeft());
      }
      caller.check();
      if (!locks) return await ask(connection, sql, caller.timeLeft(), { values });
      if (caller.timeLeft() > LONGEST_WAIT_MS) {
        return await ask(connection, sql, caller.timeLeft(), { values, changes: true });
      }
      return await inTransaction(connection, caller, sql, values);
    } catch (error) {
      if (isServerError(error) && READ_ONLY.has(error.errno ?? 0)) {
        // It was demoted; only a new connection finds the new primary.
        drop(connection);
      }
      throw error;
    } finally {
      if (borrowed) {
        ask(connection, RETURN, RETURN_MS).then(
          () => connection.release(),
          () => drop(connection),
        );
      } else connection.release();
    }
  }

  #take(): Promise<PoolConnection> {
    return new Promise((resolve, reject) => {
      this.#pool.getConnection((error, connection) => {
        if (error === null || error === undefined) resolve(connection);
        else if (isServerError(error)) reject(refusal(error));
        else reject(unavailable('there is no connection to the server', false, error));
      });
    });
  }

  /** Sets up a connection that is new to us. */
  async #meet(connection: PoolConnection, caller: Caller): Promise<number> {
    // Its errors are those of its statements; without a listener, one between them would end the process.
    connection.on('error', () => {});
    if (this.#owned) {
      await ask(connection, `SET ${SHORT_WAITS}, SESSION autocommit = 1`, caller.timeLeft());
    }
    const { rows } = await ask(connection, 'SELECT @@autocommit, @@max_allowed_packet', caller.timeLeft());
    const [autocommit, limit] = (rows[0] ?? []).map(Number);
    if (autocommit !== 1) {
      const problem = 'the connections of `pool` have autocommit off, so nothing would be kept';
      throw new BackendError(problem, { code: 'BACKEND', mayHaveHappened: false });
    }
    packetLimits.set(connection, limit ?? 0);
    return limit ?? 0;
  }
}

/**
 * A statement that might still wait when the caller is answered takes effect only when it is committed, and nothing is committed
 * after that.
 */
async function inTransaction(
  connection: PoolConnection,
  caller: Caller,
  sql: string,
  values: readonly Value[],
): Promise<Reply> {
  await ask(connection, 'START TRANSACTION', caller.timeLeft());
  try {
    const reply = await ask(connection, sql, caller.timeLeft(), { values });
    caller.check();
    await ask(connection, 'COMMIT', caller.timeLeft(), { changes: true });
    return reply;
  } catch (error) {
    // Of a connection that is dropped, the server undoes the transaction.
    await ask(connection, 'ROLLBACK', RETURN_MS).catch(() => drop(connection));
    throw error;
  }
}

/**
 * Sends one statement. With values it is a prepared one: nothing to escape, whatever the SQL mode and character set.
 * One that is not answered in time takes its connection with it, because the next statement would wait behind it.
 */
function ask(
  connection: PoolConnection,
  sql: string,
  timeLeft: number,
  { values, changes = false }: { values?: readonly Value[]; changes?: boolean } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      drop(connection);
      reject(
        new BackendError('the server did not answer in time', { code: 'TIMEOUT', mayHaveHappened: changes }),
      );
    }, timeLeft);
    const answered = (error: QueryError | null, result: unknown) => {
      clearTimeout(timer);
      if (error === null) resolve(replyOf(result));
      else if (isServerError(error)) reject(error);
      else reject(unavailable('the connection to the server was lost', changes, error));
    };
    // The pool's own settings for results may be anything.
    const options = { sql, rowsAsArray: true, nestTables: false, typeCast: true, namedPlaceholders: false };
    try {
      if (values === undefined || values.length === 0) connection.query(options, answered);
      else connection.execute(options, [...values], answered);
    } catch (error) {
      clearTimeout(timer);
      reject(error);
    }
  });
}

function replyOf(result: unknown): Reply {
  if (Array.isArray(result)) return { rows: result, affectedRows: 0, insertId: 0 };
  const { affectedRows, insertId } = Object(result);
  return { rows: [], affectedRows: Number(affectedRows), insertId: Number(insertId) };
}

function drop(connection: PoolConnection): void {
  connection.destroy();
  // mysql2 still sends what waits in the socket's buffer, and would do so when the server is back.
  const stream: unknown = Reflect.get(connection, 'stream');
  if (stream instanceof Duplex) stream.destroy();
}

/** Deadlock, lock wait, a row or table that changed meanwhile: the statement was undone, and may succeed now. */
const AGAIN = new Set([1205, 1213, 1020, 1615]);

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

/** An error that says that another client has locked a row or the table. */
export function isLocked(error: unknown): boolean {
  const cause = error instanceof BackendError ? error.cause : undefined;
  return isServerError(cause) && AGAIN.has(cause.errno ?? 0);
}

function refusal(error: QueryError): BackendError {
  const errno = error.errno ?? 0;
  return new BackendError(
    // Of a value that it does not take, the server quotes a part.
    `${error.message.replace(/value: '.*' for/s, 'value for')}${error.code ? ` (${error.code})` : ''}`,
    {
      code: BUSY.has(errno) ? 'UNAVAILABLE' : 'BACKEND',
      mayHaveHappened: UNSURE.has(errno),
      cause: error,
    },
  );
}

function unavailable(reason: string, mayHaveHappened: boolean, cause: unknown): BackendError {
  return new BackendError(reason, { code: 'UNAVAILABLE', mayHaveHappened, cause });
}
