import {
  type Backend,
  BackendError,
  type Caller,
  SENT_WHOLE,
  type StoredSession,
  type WriteCondition,
} from '@session-stores/core';
import type { RedisConnection } from './redis-connection.js';
import { EXTEND, READ, sha1, WRITE_IF_EQUAL } from './scripts.js';

/** Redis refuses longer values, and drops the connection with all that is under way on it. */
const MAX_BYTES = 512 * 1024 * 1024;

/** Keys looked at in one step of a walk, and deleted in one step of `clear`. */
const PAGE = 500;

/** Sessions that a walk reads at once, and so has in memory. */
const READ_AHEAD = 50;

/** PTTL of a key that does not expire. */
const NO_DEADLINE = -1;

export class RedisBackend implements Backend {
  readonly name = 'redis';
  readonly capabilities = { shared: true, nativeExpiry: true, grainMs: 1 };
  readonly #connection: RedisConnection;
  readonly #prefix: string;

  constructor(connection: RedisConnection, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  async read(id: string, caller: Caller): Promise<StoredSession | undefined> {
    const found = await this.#connection.run(caller, READ, this.#key(id));
    if (!Array.isArray(found)) return undefined;
    const [data, ttl] = found;
    const left = Number(ttl);
    return { data: String(data), ttl: left === NO_DEADLINE ? Number.POSITIVE_INFINITY : left };
  }

  async write(id: string, data: string, ttl: number, when: WriteCondition, caller: Caller): Promise<boolean> {
    if (Buffer.byteLength(data) > MAX_BYTES) {
      throw BackendError.tooLarge(`the ${MAX_BYTES} bytes that Redis takes`);
    }
    const key = this.#key(id);
    if (typeof when === 'object') {
      const { equals } = when;
      if (equals.length > SENT_WHOLE)
        return isOne(
          await this.#connection.run(caller, WRITE_IF_EQUAL, key, data, ttl, sha1(equals), 'as SHA-1'),
        );
      const stored = await this.#connection.setIfEqual(caller, key, data, ttl, equals);
      return stored === undefined
        ? isOne(await this.#connection.run(caller, WRITE_IF_EQUAL, key, data, ttl, equals))
        : stored;
    }
    const stored = await this.#connection.send(caller, (client) =>
      when === 'exists' ? client.set(key, data, 'PX', ttl, 'XX') : client.set(key, data, 'PX', ttl),
    );
    return stored === 'OK';
  }

  async touch(id: string, ttl: number, how: 'set' | 'extend', caller: Caller): Promise<boolean> {
    const key = this.#key(id);
    if (how === 'extend') return isOne(await this.#connection.run(caller, EXTEND, key, ttl));
    return isOne(await this.#connection.send(caller, (client) => client.pexpire(key, ttl)));
  }

  async remove(id: string, caller: Caller): Promise<boolean> {
    return isOne(await this.#connection.send(caller, (client) => client.unlink(this.#key(id))));
  }

  async *entries(caller: Caller): AsyncGenerator<StoredSession & { id: string }> {
    const read = async (id: string) => ({ id, stored: await this.read(id, caller) });
    for await (const ids of this.#pages(caller)) {
      for (let start = 0; start < ids.length; start += READ_AHEAD) {
        const found = await Promise.all(ids.slice(start, start + READ_AHEAD).map(read));
        for (const { id, stored } of found) if (stored !== undefined) yield { id, ...stored };
      }
    }
  }

  async count(caller: Caller): Promise<number> {
    let count = 0;
    for await (const ids of this.#pages(caller)) count += ids.length;
    return count;
  }

  async clear(caller: Caller): Promise<void> {
    for await (const ids of this.#pages(caller)) {
      // One key each: a cluster refuses a command on keys of several slots.
      await Promise.all(ids.map((id) => this.remove(id, caller)));
    }
  }

  close(): void {
    this.#connection.close();
  }

  #key(id: string): string {
    return this.#prefix + id;
  }

  /** The ids of all keys with our prefix, each once: SCAN repeats keys, and a key may move between nodes. */
  async *#pages(caller: Caller): AsyncGenerator<string[]> {
    const seen = new Set<string>();
    // ioredis adds its own `keyPrefix` to keys, but not to a pattern, and leaves it on the keys that SCAN finds.
    const prefix = `${this.#connection.client.options.keyPrefix ?? ''}${this.#prefix}`;
    const pattern = `${prefix.replace(/[\\*?[\]]/g, '\\$&')}*`;
    for (const node of await this.#connection.masters(caller)) {
      let cursor = '0';
      do {
        const [next, keys] = await this.#connection.send(caller, () =>
          node.scan(cursor, 'MATCH', pattern, 'COUNT', PAGE),
        );
        // Also on pages without a key of ours; and what follows must not be done for a caller who has been answered.
        caller.progress();
        cursor = next;
        // The bare prefix is no session's key: ids are not empty.
        const found = keys.map((key) => key.slice(prefix.length)).filter((id) => id !== '' && !seen.has(id));
        const ids = new Set(found);
        for (const id of ids) seen.add(id);
        yield [...ids];
      } while (cursor !== '0');
    }
  }
}

/** A client may be set to give numbers as strings. */
function isOne(reply: unknown): boolean {
  return Number(reply) === 1;
}
