import { setTimeout as delay } from 'node:timers/promises';
import {
  type Backend,
  BackendError,
  type Caller,
  forAll,
  Once,
  type StoredSession,
  type WriteCondition,
} from '@session-stores/core';
import { type Column, Database } from './database.js';
import { explain, isBusy } from './failures.js';

/** Rows in one step of a walk, and deleted in one step of `clear` and `sweep`. */
const PAGE = 200;

/** Between two attempts to open a file that another process is just making. */
const RETRY_MS = 10;

/** ISO text, which sorts as its moments do; the last one that does. */
const ISO = `'%Y-%m-%dT%H:%M:%fZ'`;
const LAST = `'9999-12-31T23:59:59.999Z'`;

/** The statements on a table. `now` is the moment at which one is carried out. */
function statements(table: string) {
  const name = `"${table.replaceAll('"', '""')}"`;
  const index = `"${`${table}_expire`.replaceAll('"', '""')}"`;
  const deadline = (seconds: string) =>
    `coalesce(strftime(${ISO}, 'now', ${seconds} || ' seconds'), ${LAST})`;
  const live = `expire > strftime(${ISO}, 'now')`;
  const ttl = `round(1000 * (unixepoch(expire, 'subsec') - unixepoch('subsec')))`;
  const overwrite = `UPDATE ${name} SET sess = ?2, expire = ${deadline('?3')} WHERE sid = ?1 AND ${live}`;
  const some = (condition: string) => `sid IN (SELECT sid FROM ${name} WHERE ${condition} LIMIT ${PAGE})`;
  return {
    makeTable: `CREATE TABLE IF NOT EXISTS ${name} (sid TEXT NOT NULL PRIMARY KEY, sess TEXT NOT NULL, expire TEXT NOT NULL)`,
    makeIndex: `CREATE INDEX IF NOT EXISTS ${index} ON ${name} (expire)`,
    read: `SELECT CAST(sess AS BLOB), ${ttl} FROM ${name} WHERE sid = ?1 AND ${live}`,
    create: `INSERT INTO ${name} (sid, sess, expire) VALUES (?1, ?2, ${deadline('?3')})
      ON CONFLICT (sid) DO UPDATE SET sess = excluded.sess, expire = excluded.expire`,
    overwrite,
    overwriteSame: `${overwrite} AND CAST(sess AS TEXT) = ?4`,
    touch: `UPDATE ${name} SET expire = ${deadline('?2')} WHERE sid = ?1 AND ${live}`,
    extend: `UPDATE ${name} SET expire = max(expire, ${deadline('?2')}) WHERE sid = ?1 AND ${live}`,
    remove: `DELETE FROM ${name} WHERE sid = ?1 AND ${live}`,
    removeEnded: `DELETE FROM ${name} WHERE sid = ?1 AND NOT ${live}`,
    page: `SELECT CAST(sid AS BLOB), CAST(sess AS BLOB), ${ttl} FROM ${name} WHERE sid > ?1 AND ${live} ORDER BY sid LIMIT ${PAGE}`,
    count: `SELECT count(*) FROM ${name} WHERE ${live}`,
    clear: `DELETE FROM ${name} WHERE ${some('true')}`,
    sweep: `DELETE FROM ${name} WHERE ${some(`NOT ${live}`)}`,
  };
}

interface Open {
  readonly database: Database;
  readonly sql: ReturnType<typeof statements>;
}

export class SQLiteBackend implements Backend {
  readonly name = 'sqlite';
  readonly capabilities = { shared: true, nativeExpiry: false, grainMs: 1 };
  readonly #open: Once<Open>;
  #database: Database | undefined;

  constructor(place: { readonly file: string; readonly table: string; readonly timeoutMs: number }) {
    this.#open = new Once(async () => {
      const caller = forAll(place.timeoutMs);
      const database = this.#database ?? (await openFile(place.file, caller));
      this.#database = database;
      const sql = statements(place.table);
      await database.change(caller, sql.makeTable);
      await database.change(caller, sql.makeIndex);
      return { database, sql };
    });
  }

  async read(id: string, caller: Caller): Promise<StoredSession | undefined> {
    const { database, sql } = await this.#open.get(caller);
    const [row] = await database.rows(caller, sql.read, [id]);
    return row && { data: textOf(row[0]), ttl: Number(row[1]) };
  }

  async write(id: string, data: string, ttl: number, when: WriteCondition, caller: Caller): Promise<boolean> {
    const { database, sql } = await this.#open.get(caller);
    const left = counting(ttl);
    const found =
      typeof when === 'object'
        ? await database.change(caller, sql.overwriteSame, () => [id, data, left(), when.equals])
        : await database.change(caller, when === 'always' ? sql.create : sql.overwrite, () => [
            id,
            data,
            left(),
          ]);
    return found === 1;
  }

  async touch(id: string, ttl: number, how: 'set' | 'extend', caller: Caller): Promise<boolean> {
    const { database, sql } = await this.#open.get(caller);
    const left = counting(ttl);
    return (await database.change(caller, how === 'set' ? sql.touch : sql.extend, () => [id, left()])) === 1;
  }

  async remove(id: string, caller: Caller): Promise<boolean> {
    const { database, sql } = await this.#open.get(caller);
    const [live] = await Promise.all([
      database.change(caller, sql.remove, () => [id]),
      database.change(caller, sql.removeEnded, () => [id]),
    ]);
    return live === 1;
  }

  async *entries(caller: Caller): AsyncGenerator<StoredSession & { id: string }> {
    const { database, sql } = await this.#open.get(caller);
    let last = '';
    for (;;) {
      const rows = await database.rows(caller, sql.page, [last]);
      for (const [id, data, ttl] of rows) yield { id: textOf(id), data: textOf(data), ttl: Number(ttl) };
      if (rows.length < PAGE) return;
      last = textOf(rows.at(-1)?.[0]);
    }
  }

  async count(caller: Caller): Promise<number> {
    const { database, sql } = await this.#open.get(caller);
    const [row] = await database.rows(caller, sql.count);
    return Number(row?.[0]);
  }

  async clear(caller: Caller): Promise<void> {
    await this.#inPages(caller, 'clear');
  }

  sweep(caller: Caller): Promise<number> {
    return this.#inPages(caller, 'sweep');
  }

  close(): void {
    this.#database?.close();
  }

  /** Repeats a deletion until it finds no full page; says how many it has deleted. */
  async #inPages(caller: Caller, name: 'clear' | 'sweep'): Promise<number> {
    const { database, sql } = await this.#open.get(caller);
    for (let deleted = 0; ; caller.progress()) {
      const found = await database.change(caller, sql[name]);
      deleted += found;
      if (found < PAGE) return deleted;
    }
  }
}

/** Several processes that find no file make one together. */
async function openFile(file: string, caller: Caller): Promise<Database> {
  for (;;) {
    try {
      return new Database(file);
    } catch (error) {
      if (!isBusy(error)) throw explain(error);
      if (caller.timeLeft() === 0) throw BackendError.noAnswer(false);
    }
    await delay(RETRY_MS);
  }
}

/** What is left of a lifetime that has begun now, in seconds: a change may have to wait for its turn. */
function counting(ttl: number): () => number {
  const start = performance.now();
  return () => Math.max(1, Math.floor(ttl - (performance.now() - start))) / 1000;
}

function textOf(column: Column | undefined): string {
  return Buffer.isBuffer(column) ? column.toString() : '';
}
