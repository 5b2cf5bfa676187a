import {
  type Backend,
  BackendError,
  type Caller,
  type StoredSession,
  type WriteCondition,
} from '@session-stores/core';
import { type Connections, isLocked, type Reply, type Statement, type Value } from './connections.js';
import { isTableGone, type Names, openTable, type Table } from './table.js';

/** Rows in one step of a walk, and deleted in one step of `clear` and `sweep`. */
const PAGE = 200;

/** Unix milliseconds, whatever the time zone: `UNIX_TIMESTAMP(NOW(3))` is an hour off when clocks go back. */
const NOW_MS = '(UNIX_TIMESTAMP() * 1000 + MICROSECOND(NOW(6)) DIV 1000)';

/** What an insert reports in place of a row id when it met another session's id, and what an update reports when it met its row. */
const COLLIDED = 4_294_967_291;
const MATCHED = 1;

/** The statements on a table. `affectedRows` of an update depends on the connection's flags; what `LAST_INSERT_ID` is told does not. */
function statements(table: Table) {
  const { name, id, expires, data, idValue, idBytes, index } = table;
  const deadline = `LEAST((${NOW_MS} + CAST(? AS UNSIGNED)) DIV 1000, ${table.lastSecond})`;
  const live = `${expires} > UNIX_TIMESTAMP()`;
  const ttl = `CAST(${expires} AS SIGNED) * 1000 - CAST(${NOW_MS} AS SIGNED)`;
  const text = `CAST(CONVERT(${data} USING utf8mb4) AS BINARY)`;
  const dataValue = 'CONVERT(? USING utf8mb4)';
  const itsRow = `${id} = ${idValue} AND ${idBytes} = ?`;
  const matched = `IF(LAST_INSERT_ID(${MATCHED}), `;
  const overwrite = `UPDATE ${name} SET ${data} = ${dataValue}, ${expires} = ${matched}${deadline}, 0) WHERE ${itsRow} AND ${live}`;
  const page = `SELECT ${idBytes}, ${text}, ${ttl} FROM ${name} FORCE INDEX (${index}) WHERE ${live}`;
  return {
    read: `SELECT ${text}, ${ttl} FROM ${name} WHERE ${itsRow} AND ${live}`,
    create: `INSERT INTO ${name} (${id}, ${data}, ${expires})
      VALUES (${idValue}, ${dataValue}, ${deadline})
      ON DUPLICATE KEY UPDATE
        ${data} = IF(${idBytes} = ?, VALUES(${data}), ${data}),
        ${expires} = IF(${idBytes} = ?, VALUES(${expires}), ${expires} + 0 * LAST_INSERT_ID(${COLLIDED}))`,
    overwrite,
    overwriteSame: `${overwrite} AND ${table.sameData}`,
    touch: `UPDATE ${name} SET ${expires} = ${matched}${deadline}, 0) WHERE ${itsRow} AND ${live}`,
    extend: `UPDATE ${name} SET ${expires} = ${matched}GREATEST(${expires}, ${deadline}), 0) WHERE ${itsRow} AND ${live}`,
    removeLive: `DELETE FROM ${name} WHERE ${itsRow} AND ${live}`,
    remove: `DELETE FROM ${name} WHERE ${itsRow}`,
    firstPage: `${page} ORDER BY ${id} LIMIT ${PAGE}`,
    nextPage: `${page} AND ${id} > ${idValue} ORDER BY ${id} LIMIT ${PAGE}`,
    count: `SELECT COUNT(*) FROM ${name} WHERE ${live}`,
    clear: `DELETE FROM ${name} ORDER BY ${id} LIMIT ${PAGE}`,
    expired: `SELECT ${idBytes} FROM ${name} WHERE NOT ${live} LIMIT ${PAGE}`,
    removeExpired: `DELETE FROM ${name} WHERE ${id} = ${idValue} AND NOT ${live}`,
    removeExpiredPage: `DELETE FROM ${name} WHERE ${id} IN (${Array(PAGE).fill(idValue).join()}) AND NOT ${live}`,
  };
}

type Name = keyof ReturnType<typeof statements>;

interface Open {
  readonly table: Table;
  readonly sql: Readonly<Record<Name, string>>;
}

export class MySQLBackend implements Backend {
  readonly name = 'mysql';
  readonly capabilities = { shared: true, nativeExpiry: false, grainMs: 1000 };
  readonly #connections: Connections;
  readonly #openTable: () => Promise<Table>;
  #open: Promise<Open> | undefined;

  constructor(connections: Connections, names: Names, options: { createTable: boolean; timeoutMs: number }) {
    this.#connections = connections;
    this.#openTable = () => openTable(connections, names, options.createTable, ownCaller(options.timeoutMs));
  }

  async read(id: string, caller: Caller): Promise<StoredSession | undefined> {
    const { table } = await this.#ready(caller);
    const key = table.encodeId(id);
    if (key === undefined) return undefined;
    const { rows } = await this.#run(caller, 'read', [key, key]);
    const [row] = rows;
    return row && { data: textOf(row[0]), ttl: Number(row[1]) };
  }

  async write(id: string, data: string, ttl: number, when: WriteCondition, caller: Caller): Promise<boolean> {
    const { table } = await this.#ready(caller);
    const key = table.encodeId(id);
    if (key === undefined && when !== 'always') return false;
    if (key === undefined) throw refused('the id column cannot hold this id');
    const text = table.encodeData(data);
    if (when === 'always') {
      const { insertId } = await this.#change(caller, 'create', [key, text, ttl, key, key]);
      if (insertId !== COLLIDED) return true;
      throw refused(
        'the table takes this id for that of another session: its id column does not compare exactly',
      );
    }
    const values: readonly Value[] = [text, ttl, key, key];
    const { insertId } =
      when === 'exists'
        ? await this.#change(caller, 'overwrite', values)
        : await this.#change(caller, 'overwriteSame', [...values, table.fingerprint(when.equals)]);
    return insertId === MATCHED;
  }

  async touch(id: string, ttl: number, how: 'set' | 'extend', caller: Caller): Promise<boolean> {
    const { table } = await this.#ready(caller);
    const key = table.encodeId(id);
    if (key === undefined) return false;
    const statement = how === 'extend' ? 'extend' : 'touch';
    const { insertId } = await this.#change(caller, statement, [ttl, key, key]);
    return insertId === MATCHED;
  }

  async remove(id: string, caller: Caller): Promise<boolean> {
    const { table } = await this.#ready(caller);
    const key = table.encodeId(id);
    if (key === undefined) return false;
    const live = await this.#change(caller, 'removeLive', [key, key]);
    if (live.affectedRows === 1) return true;
    // An expired one could live again in a store that does not look at deadlines before it moves them.
    await this.#change(caller, 'remove', [key, key]);
    return false;
  }

  async *entries(caller: Caller): AsyncGenerator<StoredSession & { id: string }> {
    let { rows } = await this.#run(caller, 'firstPage');
    for (;;) {
      for (const [id, data, ttl] of rows) yield { id: textOf(id), data: textOf(data), ttl: Number(ttl) };
      const last = rows.at(-1)?.[0];
      if (rows.length < PAGE || !Buffer.isBuffer(last)) return;
      ({ rows } = await this.#run(caller, 'nextPage', [last]));
    }
  }

  async count(caller: Caller): Promise<number> {
    const { rows } = await this.#run(caller, 'count');
    return Number(rows[0]?.[0]);
  }

  async clear(caller: Caller): Promise<void> {
    let cleared = false;
    for (;;) {
      try {
        const { affectedRows } = await this.#change(caller, 'clear');
        if (affectedRows < PAGE) return;
      } catch (error) {
        if (!cleared || !(error instanceof BackendError)) throw error;
        const { message, code, cause } = error;
        throw new BackendError(message, { code, cause, mayHaveHappened: true });
      }
      cleared = true;
      caller.progress();
    }
  }

  /**
   * Looks without locks, then deletes by id, which meets neither other sweeps nor writers in another order than theirs. What
   * somebody has locked stays until the next time.
   */
  async sweep(caller: Caller): Promise<number> {
    let swept = 0;
    for (;;) {
      const { rows } = await this.#run(caller, 'expired');
      const ids = rows.flatMap(([id]) => (Buffer.isBuffer(id) ? [id] : [])).sort(Buffer.compare);
      const removed = await this.#removeExpired(caller, ids);
      swept += removed;
      if (removed === 0 || ids.length < PAGE) return swept;
      caller.progress();
    }
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  async #removeExpired(caller: Caller, ids: readonly Buffer[]): Promise<number> {
    const [first] = ids;
    if (first === undefined) return 0;
    const page = Array.from({ length: PAGE }, (_, index) => ids[index] ?? first);
    try {
      return (await this.#change(caller, 'removeExpiredPage', page, 1)).affectedRows;
    } catch (error) {
      if (!isLocked(error)) throw error;
    }
    let removed = 0;
    for (const id of ids) {
      try {
        removed += (await this.#change(caller, 'removeExpired', [id], 1)).affectedRows;
      } catch (error) {
        if (!isLocked(error)) throw error;
      }
      caller.progress();
    }
    return removed;
  }

  #change(caller: Caller, name: Name, values: readonly Value[] = [], attempts?: number): Promise<Reply> {
    return this.#run(
      caller,
      name,
      values,
      attempts === undefined ? { locks: true } : { locks: true, attempts },
    );
  }

  async #run(
    caller: Caller,
    name: Name,
    values: readonly Value[] = [],
    how: Pick<Statement, 'locks' | 'attempts'> = {},
  ): Promise<Reply> {
    const { sql } = await this.#ready(caller);
    try {
      return await this.#connections.run(caller, { sql: sql[name], values, ...how });
    } catch (error) {
      // The next call makes it anew.
      if (isTableGone(error)) this.#open = undefined;
      throw error;
    }
  }

  async #ready(caller: Caller): Promise<Open> {
    this.#open ??= this.#openTable().then(
      (table) => ({ table, sql: statements(table) }),
      (error: unknown) => {
        this.#open = undefined;
        throw error;
      },
    );
    const open = await this.#open;
    caller.check();
    return open;
  }
}

/** For work that several callers wait for. */
function ownCaller(limitMs: number): Caller {
  const end = performance.now() + limitMs;
  return {
    check: () => undefined,
    progress: () => undefined,
    timeLeft: () => Math.max(0, end - performance.now()),
    wait: (ready) => ready,
  };
}

function refused(problem: string): BackendError {
  return new BackendError(problem, { code: 'BACKEND', mayHaveHappened: false });
}

/** An empty text where the column has none, which is no session either. */
function textOf(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString() : '';
}
