import { createHash } from 'node:crypto';
import {
  type Backend,
  BackendError,
  type Caller,
  forAll,
  Once,
  SENT_WHOLE,
  type StoredSession,
  type WriteCondition,
} from '@session-stores/core';
import type { Connections, Statement } from './connections.js';
import { isGone, isLocked } from './failures.js';
import type { Reply, Value } from './statement.js';
import { COLLIDED, MATCHED, PAGE, type StatementName, statements } from './statements.js';
import { type Names, openTable, type Table } from './table.js';

interface Open {
  readonly table: Table;
  readonly sql: Readonly<Record<StatementName, string>>;
}

export class MySQLBackend implements Backend {
  readonly name = 'mysql';
  readonly capabilities = { shared: true, nativeExpiry: false, grainMs: 1000 };
  readonly #connections: Connections;
  readonly #open: Once<Open>;

  constructor(connections: Connections, names: Names, options: { createTable: boolean; timeoutMs: number }) {
    this.#connections = connections;
    this.#open = new Once(async () => {
      const table = await openTable(connections, names, options.createTable, forAll(options.timeoutMs));
      return { table, sql: statements(table) };
    });
  }

  async read(id: string, caller: Caller): Promise<StoredSession | undefined> {
    const { table } = await this.#open.get(caller);
    const key = table.encodeId(id);
    if (key === undefined) return undefined;
    const { rows } = await this.#run(caller, 'read', [key, key]);
    const [row] = rows;
    return row && { data: textOf(row[0]), ttl: Number(row[1]) };
  }

  async write(id: string, data: string, ttl: number, when: WriteCondition, caller: Caller): Promise<boolean> {
    const { table } = await this.#open.get(caller);
    const key = table.encodeId(id);
    if (key === undefined && when !== 'always') return false;
    if (key === undefined) throw BackendError.refused('the id column cannot hold this id');
    const text = table.encodeData(data);
    if (when === 'always') {
      const { insertId } = await this.#change(caller, 'create', [key, text, ttl, key, key]);
      if (insertId !== COLLIDED) return true;
      throw BackendError.refused(
        'the table takes this id for that of another session: its id column does not compare exactly',
      );
    }
    const values: readonly Value[] = [text, ttl, key, key];
    const { insertId } =
      when === 'exists'
        ? await this.#change(caller, 'overwrite', values)
        : await this.#overwriteSame(caller, table, values, when.equals);
    return insertId === MATCHED;
  }

  #overwriteSame(caller: Caller, table: Table, values: readonly Value[], text: string): Promise<Reply> {
    if (table.sameHash === undefined || text.length <= SENT_WHOLE)
      return this.#change(caller, 'overwriteSameText', [...values, Buffer.from(text)]);
    const hash = createHash('sha256').update(text).digest();
    return this.#change(caller, 'overwriteSameHash', [...values, hash]);
  }

  async touch(id: string, ttl: number, how: 'set' | 'extend', caller: Caller): Promise<boolean> {
    const { table } = await this.#open.get(caller);
    const key = table.encodeId(id);
    if (key === undefined) return false;
    const statement = how === 'extend' ? 'extend' : 'touch';
    const { insertId } = await this.#change(caller, statement, [ttl, key, key]);
    return insertId === MATCHED;
  }

  async remove(id: string, caller: Caller): Promise<boolean> {
    const { table } = await this.#open.get(caller);
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
    for (;;) {
      const { affectedRows } = await this.#change(caller, 'clear');
      if (affectedRows < PAGE) return;
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

  #change(
    caller: Caller,
    name: StatementName,
    values: readonly Value[] = [],
    attempts?: number,
  ): Promise<Reply> {
    return this.#run(caller, name, values, { locks: true, attempts });
  }

  async #run(
    caller: Caller,
    name: StatementName,
    values: readonly Value[] = [],
    how: Pick<Statement, 'locks' | 'attempts'> = {},
  ): Promise<Reply> {
    const { sql } = await this.#open.get(caller);
    try {
      return await this.#connections.run(caller, { sql: sql[name], values, ...how });
    } catch (error) {
      if (isGone(error)) this.#open.forget();
      throw error;
    }
  }
}

/** An empty text where the column has none, which is no session either. */
function textOf(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString() : '';
}
