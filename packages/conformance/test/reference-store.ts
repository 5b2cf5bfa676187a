import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import session, { type SessionData } from 'express-session';
import type { Capabilities, Subject } from '../src/harness.js';
import { Merge, type Saved, sameSession } from './reference-merge.js';

type Callback<T = void> = (error?: unknown, value?: T) => void;

export interface Row {
  text: string;
  /** When it ends, in milliseconds since 1970. */
  end: number;
}

/** The rows of all stores, under prefixed ids, as a server would hold them. */
export class Server extends Map<string, Row> {
  /** Does something that nobody else comes between. */
  atomically<T>(work: () => T): T {
    return work();
  }
}

/** The same in a file, for several processes. */
export class FileServer extends Server {
  readonly #path: string;

  constructor(path: string) {
    super();
    this.#path = path;
    writeFileSync(path, '', { flag: 'a' });
  }

  override atomically<T>(work: () => T): T {
    const lock = `${this.#path}.lock`;
    while (!isMade(lock)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    try {
      super.clear();
      for (const [key, row] of JSON.parse(readFileSync(this.#path, 'utf8') || '[]')) super.set(key, row);
      return work();
    } finally {
      writeFileSync(this.#path, JSON.stringify([...this]));
      rmdirSync(lock);
    }
  }
}

function isMade(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

const FALLBACK_MS = 60_000;
const MAX_BYTES = 700_000;

/** A store that meets every requirement, written as plainly as possible, to be broken in one place at a time. */
export class ReferenceStore extends session.Store {
  readonly capabilities: Capabilities = { shared: true, nativeExpiry: false, grainMs: 1 };
  readonly server: Server;
  readonly prefix: string;
  readonly maxBytes: number = MAX_BYTES;
  readonly merger = new Merge();
  /** Whether its server is within reach. */
  isOnline = true;
  /** What is known of a request's session, by the object: its id, and what it was when it was loaded or last saved. */
  readonly known = new WeakMap<object, { sid: string; base: Saved }>();

  constructor(server: Server, prefix: string) {
    super();
    this.server = server;
    this.prefix = prefix;
  }

  override createSession(...args: Parameters<session.Store['createSession']>) {
    const created = super.createSession(...args);
    this.remember(created.id, created);
    return created;
  }

  get(sid: string, callback?: Callback<SessionData | null>) {
    return this.answer(callback, () => this.read(sid));
  }

  set(sid: string, data: SessionData, callback?: Callback) {
    return this.answer(callback, () => {
      const mine = JSON.parse(this.serialize(data));
      if (!this.isLate(sid, data)) this.save(sid, data, mine);
    });
  }

  override touch(sid: string, data: SessionData, callback?: Callback) {
    return this.answer(callback, () => {
      const found = this.read(sid);
      if (!found) return;
      const known = this.known.get(data);
      if (known?.sid !== sid)
        this.write(sid, JSON.stringify({ ...found, cookie: data.cookie }), this.lifetime(data));
      else if (!sameSession(known.base, this.saved(data))) this.save(sid, data, this.saved(data));
      else this.extend(sid, known.base);
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

  /** Merges a request's changes into what is there; stores what no request has loaded as it is. */
  save(sid: string, data: SessionData, mine: Saved, theirs = this.read(sid)): void {
    const known = this.known.get(data);
    const isLoaded = known?.sid === sid && theirs;
    const next = isLoaded ? this.merger.sessions(known.base, mine, this.saved(theirs)) : mine;
    // A plain object, unlike a request's session, is stored whatever is there.
    if ('req' in data) this.remember(sid, data, mine);
    this.write(sid, JSON.stringify(next), this.lifetime(next));
  }

  extend(sid: string, { cookie }: Saved): void {
    const row = this.server.get(this.key(sid));
    if (row && cookie.originalMaxAge !== null)
      row.end = Math.max(row.end, Date.now() + cookie.originalMaxAge);
  }

  remember(sid: string, data: SessionData, base = this.saved(data)): void {
    this.known.set(data, { sid, base });
  }

  saved(data: SessionData): Saved {
    return JSON.parse(JSON.stringify(data));
  }

  answer<T>(callback: Callback<T> | undefined, work: () => T | Promise<T>): Promise<T> | undefined {
    const done = new Promise<T>((resolve) => resolve(this.reach().atomically(work)));
    // Marks the rejection as handled: a caller who waits for nothing is not to be ended by it.
    done.catch(() => {});
    if (!callback) return done;
    done.then(
      (value) => setImmediate(callback, null, value),
      (error) => setImmediate(callback, error),
    );
    return undefined;
  }

  setOnline(isOnline: boolean): void {
    this.isOnline = isOnline;
  }

  reach(): Server {
    if (!this.isOnline) throw new Error('the server is away');
    return this.server;
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
    if (text.length > this.maxBytes) throw new RangeError('too large');
    this.server.set(this.key(sid), { text, end: Date.now() + lifetime });
  }

  /** Whether this session was stored before and is gone. */
  isLate(sid: string, data: SessionData): boolean {
    return this.known.get(data)?.sid === sid && !this.read(sid);
  }

  lifetime({ cookie }: Saved | SessionData): number {
    return cookie.expires ? new Date(cookie.expires).getTime() - Date.now() : FALLBACK_MS;
  }
}

/** Stores of a class, each with a prefix of its own on one server that all of them share. */
export function harnessOf(Store: typeof ReferenceStore): () => Subject<ReferenceStore> {
  const server = new Server();
  let count = 0;
  return () => {
    count += 1;
    return subjectOn(server, Store, `store-${count}`);
  };
}

export function subjectOn(
  server: Server,
  Store: typeof ReferenceStore,
  prefix: string,
): Subject<ReferenceStore> {
  return {
    store: new Store(server, prefix),
    connect: () => new Store(server, prefix),
    interruptible: () => {
      const store = new Store(server, prefix);
      return {
        store,
        interrupt: () => store.setOnline(false),
        restore: () => store.setOnline(true),
        withinMs: 500,
      };
    },
    deadline: (sid) => {
      const row = server.atomically(() => server.get(`${prefix}:${sid}`));
      return row && row.end - Date.now();
    },
    cleanUp: (store) => server.atomically(() => store.keys().map((key) => server.delete(key))),
    // Nothing happens by itself there, so that a look soon afterwards says as much as one later.
    expiryLagMs: 100,
    fallbackMs: FALLBACK_MS,
    maxBytes: MAX_BYTES,
  };
}
