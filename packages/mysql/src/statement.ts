import { Duplex } from 'node:stream';
import { BackendError, type Caller } from '@session-stores/core';
import type { PoolConnection, QueryError } from 'mysql2';
import { isServerError } from './failures.js';

export type Value = Buffer | number;

/** What the server answers: rows, each an array in the order of the columns, or what a change did. */
export interface Reply {
  readonly rows: readonly (readonly unknown[])[];
  readonly affectedRows: number;
  /** What the statement passed to `LAST_INSERT_ID(…)`, 0 when it passed nothing. */
  readonly insertId: number;
}

/** How long the statement that ends a transaction or gives a connection back may take. */
const END_MS = 1000;

/**
 * Sends one statement. With values it is a prepared one: nothing to escape, whatever the SQL mode and character set.
 * One that is not answered in time takes its connection with it, because the next statement would wait behind it.
 */
export function ask(
  connection: PoolConnection,
  sql: string,
  limitMs: number,
  { values = [], changes = false }: { values?: readonly Value[]; changes?: boolean } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      drop(connection);
      reject(BackendError.noAnswer(changes));
    }, limitMs);
    const answered = (error: QueryError | null, result: unknown) => {
      clearTimeout(timer);
      if (error === null) resolve(replyOf(result));
      else reject(isServerError(error) ? error : BackendError.connectionLost(changes, error));
    };
    // The pool's own settings for results may be anything.
    const options = { sql, rowsAsArray: true, nestTables: false, typeCast: true, namedPlaceholders: false };
    try {
      if (values.length === 0) connection.query(options, answered);
      else connection.execute(options, [...values], answered);
    } catch (error) {
      clearTimeout(timer);
      reject(error);
    }
  });
}

/**
 * A change that might still wait when its caller is answered: it takes effect only when it is committed, and nothing is committed
 * after that.
 */
export async function askInTransaction(
  connection: PoolConnection,
  sql: string,
  caller: Caller,
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
    await finish(connection, 'ROLLBACK');
    throw error;
  }
}

/** A last statement, after which the connection serves others; or it is dropped. */
export async function finish(connection: PoolConnection, sql: string): Promise<void> {
  await ask(connection, sql, END_MS).catch(() => drop(connection));
}

export function drop(connection: PoolConnection): void {
  connection.destroy();
  // mysql2 still sends what waits in the socket's buffer, and would do so when the server is back.
  const stream: unknown = Reflect.get(connection, 'stream');
  if (stream instanceof Duplex) stream.destroy();
}

function replyOf(result: unknown): Reply {
  if (Array.isArray(result)) return { rows: result, affectedRows: 0, insertId: 0 };
  const { affectedRows, insertId } = Object(result);
  return { rows: [], affectedRows: Number(affectedRows), insertId: Number(insertId) };
}
