import session, { type SessionData } from 'express-session';
import type { Harness } from '../src/harness.js';

type Callback<T = void> = (error?: unknown, value?: T) => void;

export interface Row {
  text: string;
  /** When it ends, in milliseconds since 1970. */
  end: number;
}

/** The rows of all stores, under prefixed ids, as a server would hold them. */
export type Server = Map<string, Row>;

const FALLBACK_MS = 60_000;

/** A store that meets every requirement, written as plainly as possible, to be broken in one place at a time. */
export class ReferenceStore extends session.Store {
  readonly server: Server;
  readonly prefix: string;
  /** The session objects that are known to be stored, with their ids. */
  readonly stored = new WeakMap<object, string>();

  constructor(server: Server, prefix: string) {
    super();
    this.server = server;
    this.prefix = prefix;
  }

  override createSession(...args: Parameters<session.Store['createSession']>) {
    const created = super.createSession(...args);
    this.stored.set(created, created.id);
    return created;
  }

  get(sid: string, callback?: Callback<SessionData | null>) {
    return this.answer(callback, () => this.read(sid));
  }

  set(sid: string, data: SessionData, callback?: Callback) {
    return this.answer(callback, () => {
      const text = this.serialize(data);
      if (this.isLate(sid, data)) return;
      this.stored.set(data, sid);
      this.write(sid, text, this.lifetime(data));
    });
  }

  override touch(sid: string, data: SessionData, callback?: Callback) {
    return this.answer(callback, () => {
      const found = this.read(sid);
      if (found) this.write(sid, JSON.stringify({ ...found, cookie: data.cookie }), this.lifetime(data));
    });
  }

  destroy(sid: string, callback?: Callback) {
    return this.answer(callback, () => {
      this.server.delete(this.key(sid));
    });
  }

  override all(callback?: Callback<SessionData[]>) {
    return this.answer(callback, () => this.entries());
  }

  override length(callback?: Callback<number>) {
    return this.answer(callback, () => this.entries().length);
  }

  override clear(callback?: Callback) {
    return this.answer(callback, () => {
      for (const key of this.keys()) this.server.delete(key);
    });
  }

  answer<T>(callback: Callback<T> | undefined, work: () => T | Promise<T>): Promise<T> | undefined {
    const done = new Promise<T>((resolve) => resolve(work()));
    // Marks the rejection as handled: a caller who waits for nothing is not to be ended by it.
    done.catch(() => {});
    if (!callback) return done;
    done.then(
      (value) => setImmediate(callback, null, value),
      (error) => setImmediate(callback, error),
    );
    return undefined;
  }

  serialize(data: SessionData): string {
    return JSON.stringify(data);
  }

  key(sid: string): string {
    return `${this.prefix}:${sid}`;
  }

  keys(): string[] {
    return [...this.server.keys()].filter((key) => key.startsWith(`${this.prefix}:`));
  }

  entries(): (SessionData & { id: string })[] {
    const sids = this.keys().map((key) => key.slice(this.prefix.length + 1));
    return sids.flatMap((id) => {
      const found = this.read(id);
      return found ? { id, ...found } : [];
    });
  }

  isLive(row: Row): boolean {
    return row.end > Date.now();
  }

  read(sid: string): SessionData | null {
    const row = this.server.get(this.key(sid));
    if (!row || !this.isLive(row)) return null;
    const data: SessionData = JSON.parse(row.text);
    if (data.cookie.expires) data.cookie.expires = new Date(row.end);
    return data;
  }

  write(sid: string, text: string, lifetime: number): void {
    this.server.set(this.key(sid), { text, end: Date.now() + lifetime });
  }

  /** Whether this session was stored before and is gone. */
  isLate(sid: string, data: SessionData): boolean {
    return this.stored.get(data) === sid && !this.read(sid);
  }

  lifetime(data: SessionData): number {
    const { expires, originalMaxAge } = data.cookie;
    if (!expires) return FALLBACK_MS;
    const left = new Date(expires).getTime() - Date.now();
    return left <= 0 && this.stored.has(data) ? (originalMaxAge ?? left) : left;
  }
}

/** Stores of a class, each with a prefix of its own on one server that all of them share. */
export function harnessOf(Store: typeof ReferenceStore): Harness<ReferenceStore> {
  const server: Server = new Map();
  let count = 0;
  return () => {
    count += 1;
    const prefix = `store-${count}`;
    return {
      store: new Store(server, prefix),
      connect: () => new Store(server, prefix),
      deadline: (sid) => {
        const row = server.get(`${prefix}:${sid}`);
        return row && row.end - Date.now();
      },
      cleanUp: () => {
        for (const key of server.keys()) if (key.startsWith(`${prefix}:`)) server.delete(key);
      },
      grainMs: 1,
      fallbackMs: FALLBACK_MS,
    };
  };
}
