import { BackendError, type Caller } from '@session-stores/core';
import type { Cluster, Redis } from 'ioredis';
import { explain, isNotSent, isScriptUnknown, isSyntaxError } from './failures.js';
import type { Script } from './scripts.js';

/** What a connection that is being made becomes. */
const SETTLED = ['ready', 'close', 'end'];

/** Sends requests by an ioredis client when it has a connection; what cannot be sent now never waits in the client's queue. */
export class RedisConnection {
  readonly client: Redis | Cluster;
  readonly #owned: boolean;
  #lastError: unknown;
  #connecting: Promise<void> | undefined;
  #endWait = () => {};
  /** Until a server says otherwise. */
  #setCompares = true;
  readonly #onError = (error: unknown) => {
    if (!isNotSent(error)) this.#lastError = error;
  };

  /** @param owned Whether the client is closed with the connection. */
  constructor(client: Redis | Cluster, owned: boolean) {
    this.client = client;
    this.#owned = owned;
    client.on('error', this.#onError);
  }

  /** @throws {BackendError} */
  async send<T>(caller: Caller, request: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    if (this.client.status !== 'ready') await caller.wait(this.#connected());
    try {
      const answer = await request(this.client);
      this.#lastError = undefined;
      return answer;
    } catch (error) {
      throw explain(error, this.#lastError);
    }
  }

  run(caller: Caller, { lua, sha }: Script, key: string, ...args: (string | number)[]): Promise<unknown> {
    return this.send(caller, async (client) => {
      try {
        return await client.evalsha(sha, 1, key, ...args);
      } catch (error) {
        if (!isScriptUnknown(error)) throw error;
        caller.check();
        return await client.eval(lua, 1, key, ...args);
      }
    });
  }

  /**
   * Stores a value where another is, in one command that servers have of their own since Valkey 8.1 and Redis 8.4; it costs them
   * less than a script. Says whether that was so, and `undefined` where the server has no such command.
   */
  setIfEqual(
    caller: Caller,
    key: string,
    value: string,
    ttl: number,
    equals: string,
  ): Promise<boolean | undefined> {
    return this.send(caller, async (client) => {
      if (!this.#setCompares) return undefined;
      try {
        return (await client.call('SET', key, value, 'IFEQ', equals, 'PX', ttl)) !== null;
      } catch (error) {
        if (!isSyntaxError(error)) throw error;
        this.#setCompares = false;
        caller.check();
        return undefined;
      }
    });
  }

  /**
   * The nodes that hold keys. One that cannot be reached drops out of a cluster client's list, but not out of its table of slots;
   * a walk without it would be incomplete, and nobody would know.
   */
  masters(caller: Caller): Promise<Redis[]> {
    return this.send(caller, async (client) => {
      if (!('nodes' in client)) return [client];
      const masters = client.nodes('master');
      const reachable = new Set(masters.map(({ options }) => `${options.host}:${options.port}`));
      // `some` passes over slots that belong to nobody.
      if (client.slots.some(([master]) => master !== undefined && !reachable.has(master))) {
        const problem = 'a node of the cluster cannot be reached';
        throw new BackendError(problem, { code: 'UNAVAILABLE', mayHaveHappened: false });
      }
      return masters;
    });
  }

  close(): void {
    this.client.off('error', this.#onError);
    this.#endWait();
    // Not `quit`, which waits for an answer that a frozen server never gives; nothing is under way any more.
    if (this.#owned) this.client.disconnect();
  }

  /** Waits for a connection that is being made; where there is none, refuses. */
  async #connected(): Promise<void> {
    const { client } = this;
    if (client.status === 'wait') client.connect().catch(this.#onError);
    if (client.status === 'connecting' || client.status === 'connect') {
      // One listener for all that wait: a client may have few before it warns.
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
    if (client.status !== 'ready') throw BackendError.notConnected(this.#lastError);
  }
}
