import { setImmediate } from 'node:timers/promises';
import {
  type Backend,
  type Caller,
  checkOptions,
  rule,
  SessionStore,
  type StoredSession,
  type StoreOptions,
  type SweepOptions,
  type WriteCondition,
} from '@session-stores/core';

export interface MemoryStoreOptions extends StoreOptions, SweepOptions {
  /** The most sessions to keep, expired ones that are not swept yet among them; beyond it the least recently used one goes. Default: no bound. */
  maxSessions?: number | undefined;
}

/**
 * Sessions in the memory of this process: for development, tests, and applications of one process that may forget them when it
 * ends. Expired sessions are gone at once for every caller, and from memory with the next sweep.
 */
export class MemoryStore extends SessionStore {
  /** @throws {StoreError} `INVALID_OPTION` */
  constructor(options: MemoryStoreOptions = {}) {
    checkOptions({ name: 'MemoryStore', backend: 'memory' }, options, {
      maxSessions: rule.count,
      sweepInterval: rule.timerSeconds,
    });
    super(new MemoryBackend(options.maxSessions ?? Number.POSITIVE_INFINITY), options);
  }
}

interface Entry {
  data: string;
  /** On the monotonic clock: setting the machine's time ends no session and revives none. */
  deadline: number;
}

/** How many entries a sweep looks at before other work gets its turn. */
const SLICE = 10_000;

/** The same for a listing, where each entry costs its reader more. */
const PAGE = 1_000;

/** Not for applications: `MemoryStore` puts a store around it. */
export class MemoryBackend implements Backend {
  readonly name = 'memory';
  readonly capabilities = { shared: false, nativeExpiry: false, grainMs: 1 };
  /** A Map keeps its order: the least recently used entry is the first. */
  readonly #entries = new Map<string, Entry>();
  readonly #maxSessions: number;

  constructor(maxSessions: number) {
    this.#maxSessions = maxSessions;
  }

  read(id: string): StoredSession | undefined {
    const entry = this.#use(id);
    return entry && { data: entry.data, ttl: entry.deadline - performance.now() };
  }

  write(id: string, data: string, ttl: number, when: WriteCondition): boolean {
    const entry = this.#use(id);
    if (when === 'exists' && entry === undefined) return false;
    if (typeof when === 'object' && entry?.data !== when.equals) return false;
    this.#entries.set(id, { data, deadline: performance.now() + ttl });
    if (this.#entries.size > this.#maxSessions) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    return true;
  }

  touch(id: string, ttl: number, how: 'set' | 'extend'): boolean {
    const entry = this.#use(id);
    if (entry === undefined) return false;
    const deadline = performance.now() + ttl;
    entry.deadline = how === 'extend' ? Math.max(entry.deadline, deadline) : deadline;
    return true;
  }

  remove(id: string): boolean {
    const live = this.#use(id) !== undefined;
    this.#entries.delete(id);
    return live;
  }

  async *entries(): AsyncGenerator<StoredSession & { id: string }> {
    // An entry in use moves to the end of the Map, where a walk over the Map itself would meet it again.
    for (const [index, id] of [...this.#entries.keys()].entries()) {
      if (index % PAGE === PAGE - 1) await setImmediate();
      const entry = this.#entries.get(id);
      const ttl = entry === undefined ? 0 : entry.deadline - performance.now();
      if (entry !== undefined && ttl > 0) yield { id, data: entry.data, ttl };
    }
  }

  count(): number {
    const now = performance.now();
    let live = 0;
    for (const { deadline } of this.#entries.values()) if (deadline > now) live += 1;
    return live;
  }

  clear(): void {
    this.#entries.clear();
  }

  async sweep(caller: Caller): Promise<number> {
    let swept = 0;
    let seen = 0;
    // Entries in use move to the end meanwhile; what was there at the start is enough for one sweep.
    const size = this.#entries.size;
    for (const [id, { deadline }] of this.#entries) {
      if (deadline <= performance.now() && this.#entries.delete(id)) swept += 1;
      seen += 1;
      if (seen === size) break;
      if (seen % SLICE === 0) {
        await setImmediate();
        caller.progress();
      }
    }
    return swept;
  }

  close(): void {
    this.#entries.clear();
  }

  /** The live entry, which becomes the most recently used one. */
  #use(id: string): Entry | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id);
    if (entry.deadline <= performance.now()) return undefined;
    this.#entries.set(id, entry);
    return entry;
  }
}
