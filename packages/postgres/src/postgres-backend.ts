import {
  type Backend,
  type Caller,
  forAll,
  Once,
  type StoredSession,
  type WriteCondition,
} from '@session-stores/core';
import type { Connections, Reply, Value } from './connections.js';
import { isGone } from './failures.js';
import { PAGE, type StatementName, statements } from './statements.js';
import { openTable } from './table.js';

/** Where the sessions are, and whether to make the table when it is not there. */
interface Place {
  readonly schema: string | undefined;
  readonly table: string;
  readonly createTable: boolean;
  readonly timeoutMs: number;
}

export class PostgresBackend implements Backend {
  readonly name = 'postgres';
  readonly capabilities = { shared: true, nativeExpiry: false, grainMs: 1 };
  readonly #connections: Connections;
  readonly #open: Once<Readonly<Record<StatementName, string>>>;

  constructor(connections: Connections, { createTable, timeoutMs, ...place }: Place) {
    this.#connections = connections;
    this.#open = new Once(async () =>
      statements(await openTable(connections, place, createTable, forAll(timeoutMs))),
    );
  }

  async read(id: string, caller: Caller): Promise<StoredSession | undefined> {
    const { rows } = await this.#ask(caller, 'read', [encodeId(id)]);
    const [row] = rows;
    return row && { data: decodeText(row[0]), ttl: Number(row[1]) };
  }

  async write(id: string, data: string, ttl: number, when: WriteCondition, caller: Caller): Promise<boolean> {
    const values = [encodeId(id), encodeText(data), ttl];
    if (typeof when === 'object') {
      const { count } = await this.#change(caller, 'overwriteSame', [...values, encodeText(when.equals)]);
      return count === 1;
    }
    const { count } = await this.#change(caller, when === 'always' ? 'create' : 'overwrite', values);
    return count === 1;
  }

  async touch(id: string, ttl: number, how: 'set' | 'extend', caller: Caller): Promise<boolean> {
    const { count } = await this.#change(caller, how === 'set' ? 'touch' : 'extend', [encodeId(id), ttl]);
    return count === 1;
  }

  async remove(id: string, caller: Caller): Promise<boolean> {
    const { rows } = await this.#change(caller, 'remove', [encodeId(id)]);
    return rows[0]?.[0] === 't';
  }

  async *entries(caller: Caller): AsyncGenerator<StoredSession & { id: string }> {
    let last = '';
    for (;;) {
      const { rows } = await this.#ask(caller, 'page', [last]);
      for (const [id = '', data, ttl] of rows) {
        yield { id: decodeId(id), data: decodeText(data), ttl: Number(ttl) };
      }
      if (rows.length < PAGE) return;
      last = rows.at(-1)?.[0] ?? last;
    }
  }

  async count(caller: Caller): Promise<number> {
    const { rows } = await this.#ask(caller, 'count');
    return Number(rows[0]?.[0]);
  }

  async clear(caller: Caller): Promise<void> {
    await this.#inPages(caller, 'clear');
  }

  sweep(caller: Caller): Promise<number> {
    return this.#inPages(caller, 'sweep');
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  /** Repeats a deletion until it finds no full page; says how many it has deleted. */
  async #inPages(caller: Caller, name: 'clear' | 'sweep'): Promise<number> {
    for (let deleted = 0; ; caller.progress()) {
      const { count } = await this.#change(caller, name);
      deleted += count;
      if (count < PAGE) return deleted;
    }
  }

  #ask(caller: Caller, name: StatementName, values: readonly Value[] = []): Promise<Reply> {
    return this.#run(caller, name, values, false);
  }

  #change(caller: Caller, name: StatementName, values: readonly Value[] = []): Promise<Reply> {
    return this.#run(caller, name, values, true);
  }

  async #run(
    caller: Caller,
    name: StatementName,
    values: readonly Value[],
    changes: boolean,
  ): Promise<Reply> {
    const sql = await this.#open.get(caller);
    try {
      return await this.#connections.run(caller, { sql: sql[name], values, changes });
    } catch (error) {
      if (isGone(error)) this.#open.forget();
      throw error;
    }
  }
}

/** PostgreSQL's texts hold every character but NUL. */
const NUL = '\0';
const ESCAPE = '\x1a';

function encodeId(id: string): string {
  return id.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll(NUL, `${ESCAPE}0`);
}

function decodeId(stored: string): string {
  return stored.replaceAll(`${ESCAPE}0`, NUL).replaceAll(`${ESCAPE}1`, ESCAPE);
}

/** An object's JSON is stored as it is, and anything else that a serializer has made as a JSON string. */
function encodeText(text: string): string {
  return text.startsWith('{') ? text : JSON.stringify(text);
}

function decodeText(stored = ''): string {
  return stored.startsWith('"') ? String(JSON.parse(stored)) : stored;
}
