import type { SessionData, Store } from 'express-session';
import type { Backend, StoredSession, WriteCondition } from './backend.js';
import type { Call } from './call.js';
import { type Codec, END_OF_TIME } from './codec.js';
import { BackendError, Failure } from './errors.js';
import { mergeSnapshots } from './merge.js';
import type { StoreOptions } from './options.js';
import { fullLifetime, isObject, type Snapshot, sameMaxAge, sameState, takeSnapshot } from './snapshot.js';

/** How a session reaches the store; express-session touches what it believes unchanged. */
export type SaveOperation = 'set' | 'touch';

/** A text that the server has, or may have, and what it says. */
interface Stored {
  readonly text: string;
  readonly state: Snapshot;
}

/** A write whose answer is not here, or never came. */
interface LostWrite extends Stored {
  /** The request's own part in it. */
  readonly base: Snapshot;
  readonly call: Call<void>;
  /** The one before, which may be what the server has as well. */
  readonly earlier: LostWrite | undefined;
}

/** What a request knows of its session, from the load or the first save on. */
interface Known {
  readonly id: string;
  /** Whether the request has made the session, rather than loaded it. */
  readonly isNew: boolean;
  /** The request's own state as of its last save; what differs from it are the request's changes. */
  base: Snapshot;
  /** What the server had when this request last heard of it: more than `base`, once changes of others were merged in. */
  stored: Stored | undefined;
  /** What the server may have instead. */
  lost: LostWrite | undefined;
  /** When the session expires, on `performance.now()`'s clock, as far as this request knows. */
  deadline: number;
}

interface Settings {
  readonly backend: Backend;
  readonly codec: Codec;
  /** The store that the requests have. */
  readonly store: Store;
  /** The lifetime of sessions whose cookie has no end. */
  readonly ttlMs: number;
  readonly touchAfterMs: number | undefined;
  readonly conflicts: NonNullable<StoreOptions['conflicts']>;
  /** Told when a request's session has ended before it was saved. */
  discard(operation: SaveOperation, id: string): void;
}

/**
 * Saves sessions so that none comes back after its end and no change of another request is lost: what was loaded is written
 * only over the text that was loaded. When that is no longer there, it is read again, and what this request has changed
 * since is redone on it.
 */
export class RequestSessions {
  readonly #settings: Settings;
  /** By the object that `get` returned, for `createSession` to pick up. */
  readonly #fetched = new WeakMap<object, { id: string; text: string; deadline: number }>();
  /** By session object, so that nothing is added to the session or to what is stored. */
  readonly #known = new WeakMap<object, Known>();

  /** By id, while saves are under way: what the last one stored, which is most likely what the next one will find. */
  readonly #latest = new Map<string, { saves: number; stored: Stored | undefined }>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** A save of this session will wait for its turn; what this gives is to be called when it is over. */
  expect(id: string): () => void {
    const latest = this.#latest.get(id) ?? { saves: 0, stored: undefined };
    this.#latest.set(id, latest);
    latest.saves += 1;
    return () => {
      latest.saves -= 1;
      if (latest.saves === 0) this.#latest.delete(id);
    };
  }

  /** `get` returns this session. */
  fetched(session: SessionData, id: string, { data, ttl }: StoredSession): void {
    this.#fetched.set(session, { id, text: data, deadline: performance.now() + ttl });
  }

  /** A request begins with this session, which was made of `data`. */
  loaded(session: SessionData & { readonly id: string }, data: SessionData): void {
    const fetched = this.#fetched.get(data);
    const base = takeSnapshot(session);
    const known: Known = {
      id: session.id,
      isNew: false,
      base,
      stored: undefined,
      lost: undefined,
      deadline: 0,
    };
    if (fetched?.id === session.id) {
      // express-session drops keys that its Session class has. They are nobody's deletions.
      const whole = Object.keys(data).every((key) => Object.hasOwn(session, key));
      known.stored = { text: fetched.text, state: whole ? base : takeSnapshot(data) };
      known.deadline = fetched.deadline;
    }
    this.#known.set(session, known);
  }

  /** Stores what the session held at the time of `now`. */
  save(
    call: Call<void>,
    operation: SaveOperation,
    id: string,
    session: SessionData,
    now: Snapshot,
  ): Promise<void> {
    const known = this.#knownOf(session, id);
    if (known !== undefined) return this.#saveKnown(call, operation, known, now);
    if (isOfRequest(session, id, this.#settings.store))
      return this.#saveNew(call, operation, id, session, now);
    return this.#savePlain(call, operation, id, now);
  }

  #knownOf(session: SessionData, id: string): Known | undefined {
    const known = this.#known.get(session);
    if (known?.id !== id) return undefined;
    // A call that timed out while it waited for a connection has sent nothing.
    while (known.lost !== undefined && !known.lost.call.pending) known.lost = known.lost.earlier;
    return known.isNew && known.stored === undefined && known.lost === undefined ? undefined : known;
  }

  /** An object that no request knows: the contract's unconditional write. */
  async #savePlain(call: Call<void>, operation: SaveOperation, id: string, now: Snapshot): Promise<void> {
    const { backend } = this.#settings;
    const ttl = this.#lifetime(now.timeLeft);
    if (ttl < 1) await call.change(() => backend.remove(id, call));
    else if (operation === 'touch') await call.change(() => backend.touch(id, ttl, 'set', call));
    else {
      const text = this.#encode(call, now);
      await call.change(() => backend.write(id, text, ttl, 'always', call));
    }
  }

  /** A session that this request has made: stored whatever is there, once. From then on it counts as loaded. */
  async #saveNew(
    call: Call<void>,
    operation: SaveOperation,
    id: string,
    session: SessionData & OfRequest,
    now: Snapshot,
  ): Promise<void> {
    const ttl = this.#lifetime(fullLifetime(now));
    // A session that was destroyed or replaced before it was ever stored is no longer its request's.
    if (operation === 'touch' || ttl < 1 || session.req.session !== session) {
      return this.#settings.discard(operation, id);
    }
    const known: Known = { id, isNew: true, base: now, stored: undefined, lost: undefined, deadline: 0 };
    this.#known.set(session, known);
    await this.#write(call, known, now, now, ttl, 'always');
  }

  /** A session that the server had when this request loaded or first stored it. */
  async #saveKnown(call: Call<void>, operation: SaveOperation, known: Known, now: Snapshot): Promise<void> {
    const { backend, touchAfterMs } = this.#settings;
    const { id, base } = known;
    // The whole lifetime counts while nobody set another: a slow request whose own `expires` has passed must not end a session
    // that others kept alive.
    const plain = sameMaxAge(base, now);
    const mine = plain ? { ...now, originalMaxAge: base.originalMaxAge } : now;
    const ttl = this.#lifetime(plain ? fullLifetime(base) : now.timeLeft);
    if (ttl < 1) {
      await call.change(() => backend.remove(id, call));
      return;
    }
    if (!sameState(base, mine) || known.lost !== undefined) {
      return await this.#saveChanged(call, operation, known, mine, ttl);
    }
    const sinceMoved = ttl - (known.deadline - performance.now());
    if (operation === 'touch' && sinceMoved < (touchAfterMs ?? ttl / 100)) return;
    const live = await call.change(() => backend.touch(id, ttl, 'extend', call));
    if (!live) return this.#settings.discard(operation, id);
    known.deadline = Math.max(known.deadline, performance.now() + ttl);
  }

  async #saveChanged(
    call: Call<void>,
    operation: SaveOperation,
    known: Known,
    mine: Snapshot,
    ttl: number,
  ): Promise<void> {
    const { backend, conflicts, discard } = this.#settings;
    const { id, lost } = known;
    if (conflicts === 'overwrite') {
      if (!(await this.#write(call, known, mine, mine, ttl, 'exists'))) discard(operation, id);
      return;
    }
    const latest = conflicts === 'merge' ? this.#latest.get(id)?.stored : undefined;
    for (
      let stored = latest === undefined ? known.stored : (this.#ownIn(known, lost, latest.text) ?? latest);
      ;
    ) {
      if (stored !== undefined) {
        const state = mergeSnapshots(known.base, mine, stored.state);
        const left = sameMaxAge(state, mine) ? ttl : Math.max(1, this.#lifetime(fullLifetime(state)));
        if (await this.#write(call, known, mine, state, left, { equals: stored.text })) return;
      }
      const found = await call.ask(() => backend.read(id, call));
      if (found === undefined) return discard(operation, id);
      stored = await this.#compare(call, known, lost, found);
    }
  }

  /** What the server has now, and which of the request's own writes is in it. */
  async #compare(
    call: Call<void>,
    known: Known,
    lost: LostWrite | undefined,
    found: StoredSession,
  ): Promise<Stored> {
    const own = this.#ownIn(known, lost, found.data);
    if (own !== undefined) return own;
    const theirs = { text: found.data, state: takeSnapshot(await this.#settings.codec.decode(found)) };
    if (sameState(known.base, theirs.state)) return theirs;
    if (this.#settings.conflicts === 'reject') throw new Failure('CONFLICT', CONFLICT);
    call.contended = true;
    return theirs;
  }

  /** Which of the request's own writes, or its load, this text comes from. */
  #ownIn(known: Known, lost: LostWrite | undefined, text: string): Stored | undefined {
    if (known.stored?.text === text) return known.stored;
    let own = lost;
    while (own !== undefined && own.text !== text) own = own.earlier;
    if (own !== undefined) known.base = own.base;
    return own;
  }

  /** Writes `state`, in which `mine` is the request's own part. */
  async #write(
    call: Call<void>,
    known: Known,
    mine: Snapshot,
    state: Snapshot,
    ttl: number,
    when: WriteCondition,
  ): Promise<boolean> {
    const { id, lost } = known;
    const text = this.#encode(call, state);
    known.lost = { text, state, base: mine, call, earlier: lost };
    try {
      const written = await call.change(() => this.#settings.backend.write(id, text, ttl, when, call));
      known.lost = lost;
      if (written) {
        known.base = mine;
        known.stored = { text, state };
        known.lost = undefined;
        known.deadline = performance.now() + ttl;
        const latest = this.#latest.get(id);
        if (latest !== undefined) latest.stored = known.stored;
      }
      return written;
    } catch (error) {
      if (error instanceof BackendError && !error.mayHaveHappened) known.lost = lost;
      throw error;
    }
  }

  #encode(call: Call<void>, snapshot: Snapshot): string {
    const text = this.#settings.codec.encode(snapshot);
    call.text = text;
    return text;
  }

  /** Whole milliseconds, rounded down. */
  #lifetime(ms: number | undefined): number {
    return Math.floor(Math.min(ms ?? this.#settings.ttlMs, END_OF_TIME - Date.now()));
  }
}

/** Why a save was refused, or gave up. */
export const CONFLICT = 'another request changed the session first';

interface OfRequest {
  readonly req: { readonly session?: unknown };
}

/**
 * Told by its methods and id: the application may have a copy of express-session's `Session` class other than ours. A request
 * of another store, one that wraps ours perhaps, has not loaded its session here.
 */
function isOfRequest<T extends object>(session: T, id: string, store: Store): session is T & OfRequest {
  return (
    'id' in session &&
    session.id === id &&
    'save' in session &&
    typeof session.save === 'function' &&
    'req' in session &&
    isObject(session.req) &&
    session.req['sessionStore'] === store
  );
}
