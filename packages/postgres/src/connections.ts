import { BackendError, type Caller } from '@session-stores/core';
import type { Pool, PoolClient } from 'pg';
import { endsConnection, isServerError, isWorthRepeating, refusal } from './failures.js';

export type Value = string | number;

/** What the server answers: rows, each an array of texts in the order of the columns, and how many it has found or changed. */
export interface Reply {
  readonly rows: readonly (readonly string[])[];
  readonly count: number;
}

export interface Statement {
  readonly sql: string;
  readonly values?: readonly Value[];
  /** Whether it changes anything. */
  readonly changes?: boolean;
}

/** How long the end of a transaction that failed may take. */
const ROLLBACK_MS = 1000;

/** Texts as the server sends them: the application may have changed how pg reads types. */
const types = { getTypeParser: () => (text: string) => text };

/** Runs statements on a pool of pg so that each is over when its caller is: neither waiting, nor queued, nor half sent. */
export class Connections {
  readonly #pool: Pool;
  readonly #limitMs: number | undefined;

  /**
   * @param limitMs The `statement_timeout` of the pool's connections, in milliseconds. `undefined`: the pool is the application's,
   * who closes it, and has limits of its own.
   */
  constructor(pool: Pool, limitMs: number | undefined) {
    this.#pool = pool;
    this.#limitMs = limitMs;
    // The pool drops such a connection by itself.
    if (limitMs !== undefined) pool.on('error', () => {});
  }

  /** @throws {BackendError} */
  async run(caller: Caller, statement: Statement): Promise<Reply> {
    for (;;) {
      try {
        return await this.#attempt(caller, statement);
      } catch (error) {
        if (!isServerError(error)) throw error;
        if (!isWorthRepeating(error) || caller.timeLeft() === 0) throw refusal(error, statement.changes);
        caller.check();
      }
    }
  }

  async close(): Promise<void> {
    if (this.#limitMs !== undefined) await this.#pool.end();
  }

  async #attempt(caller: Caller, statement: Statement): Promise<Reply> {
    const client = await this.#take(caller);
    let broken = false;
    try {
      // A change that may outlast its caller takes effect only with a commit, and nothing is committed after that.
      const bounded = this.#limitMs !== undefined && this.#limitMs < caller.timeLeft();
      if (statement.changes && !bounded) return await askInTransaction(client, statement, caller);
      return await ask(client, statement, caller.timeLeft());
    } catch (error) {
      broken = endsConnection(error);
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /** A connection; one that comes when its caller has been answered goes back. */
  async #take(caller: Caller): Promise<PoolClient> {
    const taken = this.#pool.connect().catch((error: unknown) => {
      throw isServerError(error) ? refusal(error) : BackendError.notConnected(error);
    });
    try {
      const client = await caller.wait(taken);
      // What ends it between two statements fails the next one, if any; without a listener it would end the process.
      client.off('error', ignore).on('error', ignore);
      return client;
    } catch (error) {
      taken.then(
        (client) => client.release(),
        () => {},
      );
      throw error;
    }
  }
}

function ignore(): void {}

/** Sends one statement. The connection of one that is not answered in time is of no more use: the next would wait behind it. */
async function ask(
  client: PoolClient,
  { sql, values = [], changes = false }: Statement,
  limitMs: number,
): Promise<Reply> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(BackendError.noAnswer(changes)), limitMs);
  });
  try {
    const query = client.query<string[]>({ text: sql, values: [...values], rowMode: 'array', types });
    const { rows, rowCount } = await Promise.race([query, late]);
    return { rows, count: rowCount ?? 0 };
  } catch (error) {
    if (isServerError(error) || error instanceof BackendError) throw error;
    throw BackendError.connectionLost(changes, error);
  } finally {
    clearTimeout(timer);
  }
}

async function askInTransaction(client: PoolClient, statement: Statement, caller: Caller): Promise<Reply> {
  const limit = Math.max(1, Math.floor(caller.timeLeft()));
  await ask(client, { sql: `BEGIN; SET LOCAL statement_timeout = ${limit}` }, limit);
  try {
    const reply = await ask(client, { ...statement, changes: false }, caller.timeLeft());
    caller.check();
    await ask(client, { sql: 'COMMIT', changes: true }, caller.timeLeft());
    return reply;
  } catch (error) {
    // Of a connection that is dropped, the server undoes the transaction.
    if (!endsConnection(error)) await ask(client, { sql: 'ROLLBACK' }, ROLLBACK_MS);
    throw error;
  }
}
