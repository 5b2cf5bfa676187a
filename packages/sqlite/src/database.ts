import { setTimeout as delay } from 'node:timers/promises';
import type { Caller } from '@session-stores/core';
import Libsql from 'libsql';
import { explain, isBusy } from './failures.js';

export type Value = string | number;

/** A column of a row: a number, or a text as bytes, because libsql cuts texts at a NUL. */
export type Column = number | Buffer | null;

interface Change {
  readonly caller: Caller;
  readonly make: () => number;
  resolve(changed: number): void;
  reject(error: unknown): void;
}

/** Between two looks whether another process has done its writing. */
const RETRY_MS = 5;

/** The most changes in one transaction, during which nothing else runs. */
const BATCH = 200;

/**
 * One connection to an SQLite file. It never waits inside SQLite, where the whole process would wait. Changes that come together share a
 * transaction, and so the disk's confirmation, which is what takes time.
 */
export class Database {
  readonly #connection: Libsql.Database;
  readonly #statements = new Map<string, Libsql.Statement>();
  #queue: Change[] = [];
  #flushing = false;

  /** @throws what SQLite says. */
  constructor(file: string) {
    this.#connection = new Libsql(file, { timeout: 0 });
    try {
      // Readers and a writer do not wait for each other; a commit is answered when the disk has confirmed it.
      this.#connection.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    } catch (error) {
      this.#connection.close();
      throw error;
    }
  }

  /** @throws {BackendError} */
  async rows(caller: Caller, sql: string, values: readonly Value[] = []): Promise<Column[][]> {
    for (;;) {
      try {
        // To the last row, or the statement would go on holding what it has begun to read.
        return this.#prepare(sql).raw().all(values) as Column[][];
      } catch (error) {
        if (!isBusy(error)) throw explain(error);
      }
      await caller.wait(delay(RETRY_MS));
    }
  }

  /**
   * How many rows a change has found. It is made in its turn, unless its caller has been answered by then.
   *
   * @param values What goes into the statement, at that moment.
   * @throws {BackendError}
   */
  change(caller: Caller, sql: string, values: () => readonly Value[] = () => []): Promise<number> {
    const make = () => this.#prepare(sql).run(values()).changes;
    const done = new Promise<number>((resolve, reject) => {
      this.#queue.push({ caller, make, resolve, reject });
    });
    if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => this.#flush());
    }
    // Until its turn nothing is done, and then it is over at once.
    return caller.wait(done);
  }

  close(): void {
    this.#connection.close();
  }

  #flush(): void {
    const waiting = this.#queue.filter(isWanted);
    const batch = waiting.splice(0, BATCH);
    this.#queue = waiting;
    const busy = batch.length > 0 && !this.#transact(batch);
    if (busy) this.#queue.unshift(...batch);
    this.#flushing = this.#queue.length > 0;
    if (busy) setTimeout(() => this.#flush(), RETRY_MS);
    else if (this.#flushing) setImmediate(() => this.#flush());
  }

  /** False when another process is writing. */
  #transact(batch: readonly Change[]): boolean {
    try {
      this.#connection.exec('BEGIN IMMEDIATE');
    } catch (error) {
      if (isBusy(error)) return false;
      for (const { reject } of batch) reject(explain(error));
      return true;
    }
    const answers: (() => void)[] = [];
    for (const { make, resolve, reject } of batch) {
      try {
        const changed = make();
        answers.push(() => resolve(changed));
      } catch (error) {
        // SQLite has undone this one alone.
        answers.push(() => reject(explain(error)));
      }
    }
    try {
      this.#connection.exec('COMMIT');
      for (const answer of answers) answer();
    } catch (error) {
      for (const { reject } of batch) reject(explain(error, true));
    } finally {
      if (this.#connection.inTransaction) this.#connection.exec('ROLLBACK');
    }
    return true;
  }

  #prepare(sql: string): Libsql.Statement {
    const statement = this.#statements.get(sql) ?? this.#connection.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** Whether somebody still waits for it; whoever does not is told, for the record. */
function isWanted({ caller, reject }: Change): boolean {
  try {
    caller.check();
    return true;
  } catch (error) {
    reject(error);
    return false;
  }
}
