import { createHash } from 'node:crypto';
import {
  type Backend,
  BackendError,
  type Caller,
  type StoredSession,
  type WriteCondition,
} from '@session-stores/core';
import type { Cluster, Redis } from 'ioredis';

/** Redis refuses longer values, and drops the connection with all that is under way on it. */
const MAX_BYTES = 512 * 1024 * 1024;

/** Keys looked at in one step of a walk, and deleted in one step of `clear`. */
const PAGE = 500;

/** Sessions that a walk reads at once, and so has in memory. */
const READ_AHEAD = 50;

/**
 * One round trip for both, and from the master also where a cluster client reads from replicas: those may be behind a logout.
 * A key that holds something else than a string holds no session, which the empty text says.
 */
const READ = script(`
  local data = redis.pcall('GET', KEYS[1])
  if type(data) == 'table' then
    if string.sub(data.err, 1, 9) ~= 'WRONGTYPE' then return data end
    data = ''
  end
  return data and { data, redis.call('PTTL', KEYS[1]) }
`);

/** The expected text is sent as a hash, so that a large session is not sent twice. */
const WRITE_IF_EQUAL = script(`
  local data = redis.call('GET', KEYS[1])
  if not data or redis.sha1hex(data) ~= ARGV[3] then return 0 end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
`);

/** PEXPIRE has a GT of its own only since Redis 7. A key without a deadline (-1) has the latest of all. */
const EXTEND = script(`
  local left = redis.call('PTTL', KEYS[1])
  if left == -2 then return 0 end
  if left >= 0 and left < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
  return 1
`);

interface Script {
  readonly lua: string;
  readonly sha: string;
}

function script(lua: string): Script {
  return { lua, sha: sha1(lua) };
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

export class RedisBackend implements Backend {
  readonly name = 'redis';
  readonly capabilities = { shared: true, nativeExpiry: true, grainMs: 1 };
  readonly #client: Redis | Cluster;
  readonly #prefix: string;
  readonly #ownsClient: boolean;
  /** The driver's "no connection" names no reason; the last connection error does. */
  #lastError: unknown;
  #connecting: Promise<void> | undefined;
  #endWait = () => {};
  readonly #onError = (error: unknown) => {
    if (!NOT_SENT.test(messageOf(error))) this.#lastError = error;
  };

  constructor(client: Redis | Cluster, prefix: string, ownsClient: boolean) {
    this.#client = client;
    this.#prefix = prefix;
    this.#ownsClient = ownsClient;
    client.on('error', this.#onError);
  }

  async read(id: string, caller: Caller): Promise<StoredSession | undefined> {
    const found = await this.#eval(caller, READ, id);
    if (!Array.isArray(found)) return undefined;
    const [data, ttl] = found;
    const left = Number(ttl);
    return { data: String(data), ttl: left === NO_DEADLINE ? Number.POSITIVE_INFINITY : left };
  }

  async write(id: string, data: string, ttl: number, when: WriteCondition, caller: Caller): Promise<boolean> {
    if (data.length * 3 > MAX_BYTES && Buffer.byteLength(data) > MAX_BYTES) {
      const problem = `the session is larger than the ${MAX_BYTES} bytes that Redis takes`;
      throw new BackendError(problem, { code: 'TOO_LARGE', mayHaveHappened: false });
    }
    if (typeof when === 'object') {
      return isOne(await this.#eval(caller, WRITE_IF_EQUAL, id, data, ttl, sha1(when.equals)));
    }
    const key = this.#prefix + id;
    const stored = await this.#send(caller, (client) =>
      when === 'exists' ? client.set(key, data, 'PX', ttl, 'XX') : client.set(key, data, 'PX', ttl),
    );
    return stored === 'OK';
  }

  async touch(id: string, ttl: number, how: 'set' | 'extend', caller: Caller): Promise<boolean> {
    if (how === 'extend') return isOne(await this.#eval(caller, EXTEND, id, ttl));
    return isOne(await this.#send(caller, (client) => client.pexpire(this.#prefix + id, ttl)));
  }

  async remove(id: string, caller: Caller): Promise<boolean> {
    return isOne(await this.#send(caller, (client) => client.unlink(this.#prefix + id)));
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
    this.#client.off('error', this.#onError);
    this.#endWait();
    // Not `quit`, which waits for an answer that a frozen server never gives; nothing is under way any more.
    if (this.#ownsClient) this.#client.disconnect();
  }

  /** The ids of all keys with our prefix, each once: SCAN repeats keys, and a key may move between nodes. */
  async *#pages(caller: Caller): AsyncGenerator<string[]> {
    const seen = new Set<string>();
    // ioredis adds its own `keyPrefix` to keys, but not to a pattern, and leaves it on the keys that SCAN finds.
    const prefix = `${this.#client.options.keyPrefix ?? ''}${this.#prefix}`;
    const pattern = `${prefix.replace(/[\\*?[\]]/g, '\\$&')}*`;
    for (const node of await this.#send(caller, async (client) => mastersOf(client))) {
      let cursor = '0';
      do {
        const [next, keys] = await this.#send(caller, () =>
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

  async #eval(
    caller: Caller,
    { lua, sha }: Script,
    id: string,
    ...args: (string | number)[]
  ): Promise<unknown> {
    const key = this.#prefix + id;
    return await this.#send(caller, async (client) => {
      try {
        return await client.evalsha(sha, 1, key, ...args);
      } catch (error) {
        // A restart or SCRIPT FLUSH forgets scripts.
        if (!messageOf(error).startsWith('NOSCRIPT')) throw error;
        caller.check();
        return await client.eval(lua, 1, key, ...args);
      }
    });
  }

  async #send<T>(caller: Caller, request: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    if (this.#client.status !== 'ready') {
      await caller.wait(this.#connected());
    }
    try {
      const answer = await request(this.#client);
      this.#lastError = undefined;
      return answer;
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** Waits for a connection that is being made; where there is none, refuses, lest the command wait in the client's queue. */
  async #connected(): Promise<void> {
    const client = this.#client;
    if (client.status === 'wait') client.connect().catch(this.#onError);
    if (client.status === 'connecting' || client.status === 'connect') {
      this.#connecting ??= new Promise<void>((resolve) => {
        const settled = () => {
          for (const status of SETTLED) client.off(status, settled);
          this.#connecting = undefined;
          resolve();
        };
        for (const status of SETTLED) client.on(status, settled);
        this.#endWait = settled;
      });
      await this.#connecting;
    }
    if (client.status !== 'ready') throw this.#unavailable('there is no connection to the server', false);
  }

  #explain(error: unknown): unknown {
    const message = messageOf(error);
    if (error instanceof Error && error.name === 'ReplyError') {
      // The server has refused, so nothing was done. It quotes the arguments of a command that it does not know.
      const reason = message.replace(/, with args beginning with:.*/s, '');
      const code = UNAVAILABLE_REPLY.test(message) ? 'UNAVAILABLE' : 'BACKEND';
      return new BackendError(reason, { code, mayHaveHappened: false });
    }
    if (message === 'Command timed out') {
      return new BackendError('the server did not answer in time', {
        code: 'TIMEOUT',
        mayHaveHappened: true,
      });
    }
    if (NOT_SENT.test(message)) return this.#unavailable('there is no connection to the server', false);
    if (LOST.test(message)) return this.#unavailable('the connection to the server was lost', true);
    if (message.startsWith('Too many Cluster redirections')) {
      return this.#unavailable('no node of the cluster answered for it', true, error);
    }
    return error;
  }

  #unavailable(reason: string, mayHaveHappened: boolean, cause = this.#lastError): BackendError {
    return new BackendError(reason, { code: 'UNAVAILABLE', mayHaveHappened, cause });
  }
}

/** What a connection that is being made becomes. */
const SETTLED = ['ready', 'close', 'end'];

/** PTTL of a key that does not expire. */
const NO_DEADLINE = -1;

/** The server is there, and will serve again: it loads its data, or the cluster is choosing a new master. */
const UNAVAILABLE_REPLY = /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN)\b/;

/** ioredis's words for a command that never left. */
const NOT_SENT = /^Stream isn't writeable|^Cluster isn't ready/;

/** ioredis's words for a command whose answer never came. */
const LOST =
  /^(Connection is closed|Reached the max retries|Command aborted|Cluster is ended|None of startup nodes)/;

/** A client may be set to give numbers as strings. */
function isOne(reply: unknown): boolean {
  return Number(reply) === 1;
}

/**
 * The nodes that hold keys. One that cannot be reached drops out of a cluster client's list, but not out of its table of slots;
 * a walk without it would be incomplete, and nobody would know.
 */
function mastersOf(client: Redis | Cluster): Redis[] {
  if (!('nodes' in client)) return [client];
  const masters = client.nodes('master');
  const reachable = new Set(masters.map(({ options }) => `${options.host}:${options.port}`));
  // `some` passes over slots that belong to nobody.
  if (client.slots.some(([master]) => master !== undefined && !reachable.has(master))) {
    const problem = 'a node of the cluster cannot be reached';
    throw new BackendError(problem, { code: 'UNAVAILABLE', mayHaveHappened: false });
  }
  return masters;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
