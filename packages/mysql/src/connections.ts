import { BackendError, type Caller } from '@session-stores/core';
import type { Pool, PoolConnection } from 'mysql2';
import { isLocked, isReadOnly, isServerError, refusal } from './failures.js';
import { ask, askInTransaction, drop, finish, type Reply, type Value } from './statement.js';

export interface Statement {
  readonly sql: string;
  readonly values?: readonly Value[];
  /** Whether it may wait for rows that another client has locked. */
  readonly locks?: boolean;
  /** How often it is tried when it meets a deadlock or a lock that does not go away. Default 3. */
  readonly attempts?: number | undefined;
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

/** What a connection takes in one packet, once it was asked; several stores may be on one pool. */
const packetLimits = new WeakMap<PoolConnection, number>();

/** Runs statements on a mysql2 pool so that each is over when its caller is: neither waiting, nor queued, nor half sent. */
export class Connections {
  readonly #pool: Pool;
  readonly #owned: boolean;

  /** @param owned Whether the pool is closed with the connections. */
  constructor(pool: Pool, owned: boolean) {
    this.#pool = pool;
    this.#owned = owned;
  }

  /** @throws {BackendError} */
  async run(caller: Caller, statement: Statement): Promise<Reply> {
    const { attempts = 3 } = statement;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(caller, statement);
      } catch (error) {
        if (!isServerError(error)) throw error;
        if (attempt >= attempts || !isLocked(error)) throw refusal(error);
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
    const connection = await this.#take(caller);
    let borrowed = false;
    try {
      refuseLarge(values, packetLimits.get(connection) ?? (await this.#meet(connection, caller)));
      if (locks && !this.#owned) {
        borrowed = true;
        await ask(connection, BORROW, caller.timeLeft());
      }
      caller.check();
      if (!locks) return await ask(connection, sql, caller.timeLeft(), { values });
      if (caller.timeLeft() < LONGEST_WAIT_MS) {
        return await askInTransaction(connection, sql, caller, values);
      }
      return await ask(connection, sql, caller.timeLeft(), { values, changes: true });
    } catch (error) {
      // It was demoted; only a new connection finds the new primary.
      if (isReadOnly(error)) drop(connection);
      throw error;
    } finally {
      if (borrowed) finish(connection, RETURN).then(() => connection.release());
      else connection.release();
    }
  }

  /** A connection; one that comes when its caller has been answered goes back. */
  async #take(caller: Caller): Promise<PoolConnection> {
    const taken = new Promise<PoolConnection>((resolve, reject) => {
      this.#pool.getConnection((error, connection) => {
        if (!error) resolve(connection);
        else reject(isServerError(error) ? refusal(error) : BackendError.notConnected(error));
      });
    });
    try {
      return await caller.wait(taken);
    } catch (error) {
      taken.then(
        (connection) => connection.release(),
        () => {},
      );
      throw error;
    }
  }

  /** Sets up a connection that is new to us; answers what it takes in one packet. */
  async #meet(connection: PoolConnection, caller: Caller): Promise<number> {
    // Its errors are those of its statements; without a listener, one between them would end the process.
    connection.on('error', () => {});
    if (this.#owned) {
      await ask(connection, `SET ${SHORT_WAITS}, SESSION autocommit = 1`, caller.timeLeft());
    }
    const { rows } = await ask(connection, 'SELECT @@autocommit, @@max_allowed_packet', caller.timeLeft());
    const [autocommit, limit = 0] = (rows[0] ?? []).map(Number);
    if (autocommit !== 1) {
      throw BackendError.refused('the connections of `pool` have autocommit off, so nothing would be kept');
    }
    packetLimits.set(connection, limit);
    return limit;
  }
}

/** The server would drop the connection. */
function refuseLarge(values: readonly Value[], limit: number): void {
  const sizes = values.map((value) => (Buffer.isBuffer(value) ? value.length : 8));
  if (sizes.reduce((sum, size) => sum + size, PACKET_OVERHEAD) > limit) {
    throw BackendError.tooLarge(`the ${limit} bytes that the server takes (max_allowed_packet)`);
  }
}
