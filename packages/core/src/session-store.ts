import { setTimeout as delay } from 'node:timers/promises';
import { type Session, type SessionData, Store } from 'express-session';
import type { Backend, Caller, Capabilities, StoredSession, WriteCondition } from './backend.js';
import { Call } from './call.js';
import { BackendError, maskId, StoreError, type StoreErrorCode, scrub } from './errors.js';
import { DEFAULT_TIMEOUT_MS, type Serializer, type StoreOptions, type SweepOptions } from './options.js';
import {
  fullLifetime,
  isObject,
  NoSession,
  type Snapshot,
  sameSettings,
  takeSnapshot,
  toJson,
} from './snapshot.js';
import { Turns } from './turns.js';

type Request = Parameters<Store['createSession']>[0];

/** How an operation without a result answers. */
export type DoneCallback = (error: StoreError | null) => void;

/** How an operation with a result answers; `result` is there when `error` is `null`. */
export type ResultCallback<T> = (error: StoreError | null, result?: T) => void;

/** A session as `all` and `entries` give it, with its id. */
export type ListedSession = SessionData & { id: string };

/** What a store announces, beside what it answers. The id is masked, as in errors. */
export interface StoreEvents {
  /** A request's late save or touch changed nothing: its session has ended meanwhile. That is no error. */
  discarded: [event: { operation: 'set' | 'touch'; session: string }];
  /** An error that nobody was waiting for: of a sweep, of a call without callback, of stored text that `all` passed over. */
  failed: [error: StoreError];
}

/** What a request knows of its session, from the load or the first save on. */
interface Known {
  readonly id: string;
  /** Whether the request has made the session, rather than loaded it. */
  readonly isNew: boolean;
  /** The request's own state that the server has; what differs from it are the request's changes. */
  base: Snapshot;
  /** The text that the server had when this request last heard of it. Another than `base` once changes were merged. */
  text: string | undefined;
  /** A write whose answer is not here, or never came: the server may have this text instead. */
  lost: LostWrite | undefined;
  /** When the session expires, on `performance.now()`'s clock, as far as this request knows. */
  deadline: number;
}

interface LostWrite {
  readonly text: string;
  readonly base: Snapshot;
  readonly call: Call<void>;
  /** The one before, which counts again when this one turns out never to have left. */
  readonly earlier: LostWrite | undefined;
}

const DEFAULT_TTL_SECONDS = 86_400;
const DEFAULT_SWEEP_SECONDS = 60;
const MAX_ID_LENGTH = 128;
/** The last moment a `Date` can tell. */
const END_OF_TIME = 8.64e15;

/**
 * An express-session store over a `Backend`. It speaks the contract (callbacks, cookies, lifetimes, serialising, conflicts, errors)
 * so that a backend need not.
 *
 * Every method takes a callback, which is called once and never before the method has returned, or returns a promise when none
 * is given. Calls on one id take effect in the order in which they were made. Every error is a `StoreError`.
 *
 * Emits `discarded` and `failed`, see `StoreEvents`. It emits neither `connect` nor `disconnect`: express-session would serve
 * requests without a session between them, which looks like a logout, where a store that fails should show an error.
 *
 * @see https://github.com/expressjs/session#session-store-implementation
 */
export abstract class SessionStore extends Store {
  /** Assigned by express-session's middleware: gives a request a new session. */
  declare generate: (request: Request) => void;

  readonly #backend: Backend;
  readonly #ttlMs: number;
  readonly #touchAfterMs: number | undefined;
  readonly #serializer: Serializer;
  readonly #conflicts: NonNullable<StoreOptions['conflicts']>;
  readonly #timeoutMs: number;
  readonly #turns = new Turns();
  readonly #underway = new Set<Promise<unknown>>();
  /** What `get` returned, by the object that it returned, for `createSession` to pick up. */
  readonly #fetched = new WeakMap<object, { id: string; text: string; deadline: number }>();
  /** By session object, so that nothing is added to the session or to what is stored. */
  readonly #known = new WeakMap<object, Known>();
  #sweepTimer: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  /** @param options What `checkOptions` has passed. */
  protected constructor(backend: Backend, options: StoreOptions & SweepOptions) {
    super();
    this.#backend = backend;
    this.#ttlMs = (options.ttl ?? DEFAULT_TTL_SECONDS) * 1000;
    this.#touchAfterMs = options.touchAfter === undefined ? undefined : options.touchAfter * 1000;
    this.#serializer = options.serializer ?? JSON;
    this.#conflicts = options.conflicts ?? 'merge';
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    if (backend.sweep !== undefined)
      this.#sweepEvery((options.sweepInterval ?? DEFAULT_SWEEP_SECONDS) * 1000);
  }

  /** What the backend can do. */
  get capabilities(): Capabilities {
    return this.#backend.capabilities;
  }

  /** The live session as a fresh object, or `null`. Its `cookie.expires`, if it has one, tells when it really expires. */
  override get(sid: string): Promise<SessionData | null>;
  override get(sid: string, callback: ResultCallback<SessionData | null>): void;
  override get(
    sid: string,
    callback?: ResultCallback<SessionData | null>,
  ): Promise<SessionData | null> | undefined {
    return this.#answer(callback, () => this.#fetch(sid));
  }

  /**
   * Stores a session until its `cookie.expires`, or for `ttl` when it has none; one that has expired is removed.
   *
   * A request's own session is stored only while it is still there: after a logout a late save changes nothing. A plain object
   * is stored whatever is there.
   */
  override set(sid: string, session: SessionData): Promise<void>;
  override set(sid: string, session: SessionData, callback: DoneCallback | undefined): void;
  override set(sid: string, session: SessionData, callback?: DoneCallback): Promise<void> | undefined {
    return this.#answer(callback, () => this.#store('set', sid, session));
  }

  /**
   * Moves a live session's deadline. A request's own session only to a later one, and not again within `touchAfter`; where it was
   * changed without express-session noticing (its cookie, say), it is stored as by `set`.
   */
  override touch(sid: string, session: SessionData): Promise<void>;
  override touch(sid: string, session: SessionData, callback: DoneCallback | undefined): void;
  override touch(sid: string, session: SessionData, callback?: DoneCallback): Promise<void> | undefined {
    return this.#answer(callback, () => this.#store('touch', sid, session));
  }

  /** Ends a session for good. No error when there is none. */
  override destroy(sid: string): Promise<void>;
  override destroy(sid: string, callback: DoneCallback | undefined): void;
  override destroy(sid: string, callback?: DoneCallback): Promise<void> | undefined {
    return this.#answer(callback, () => this.#end(sid));
  }

  /** The live sessions. Text on the server that is no session is passed over and announced by the event `failed`. */
  override all(): Promise<ListedSession[]>;
  override all(callback: ResultCallback<ListedSession[]>): void;
  override all(callback?: ResultCallback<ListedSession[]>): Promise<ListedSession[]> | undefined {
    const collect = async () => {
      const sessions: ListedSession[] = [];
      for await (const session of this.#list('all')) sessions.push(session);
      return sessions;
    };
    return this.#answer(callback, collect);
  }

  /** The same as `all`, streamed: each live session once, in bounded memory. */
  entries(): AsyncGenerator<ListedSession, void, undefined> {
    return this.#list('entries');
  }

  /** The number of live sessions. */
  override length(): Promise<number>;
  override length(callback: ResultCallback<number>): void;
  override length(callback?: ResultCallback<number>): Promise<number> | undefined {
    return this.#answer(callback, () =>
      this.#run('length', undefined, (call) => call.ask(() => this.#backend.count(call))),
    );
  }

  /** Ends all sessions of this store, and touches nothing else on the server. */
  override clear(): Promise<void>;
  override clear(callback: DoneCallback | undefined): void;
  override clear(callback?: DoneCallback): Promise<void> | undefined {
    return this.#answer(callback, () =>
      this.#run('clear', undefined, (call) => call.change(() => this.#backend.clear(call))),
    );
  }

  /** Deletes expired sessions now; answers how many. Always 0 where the server does it. */
  sweep(): Promise<number>;
  sweep(callback: ResultCallback<number>): void;
  sweep(callback?: ResultCallback<number>): Promise<number> | undefined {
    return this.#answer(callback, () =>
      this.#run('sweep', undefined, (call) => call.change(() => this.#backend.sweep?.(call) ?? 0)),
    );
  }

  /**
   * Ends the store: waits for the calls under way, up to `timeoutMs`, stops the timers, and closes what the store opened itself; a client that it
   * was given stays open. Later calls are answered with the error `CLOSED`.
   */
  close(): Promise<void>;
  close(callback: DoneCallback): void;
  close(callback?: DoneCallback): Promise<void> | undefined {
    const close = () =>
      new Call<void>(this.#timeoutMs, (call) => this.#timeUp('close', undefined, call)).start(
        async () => await this.#backend.close(),
        (error, call) => this.#storeError(error, 'close', undefined, call),
      );
    return this.#answer(callback, () => {
      clearTimeout(this.#sweepTimer);
      // A walk over many pages may take much longer than any one call.
      const limit = delay(this.#timeoutMs, undefined, { ref: false });
      this.#closed ??= Promise.race([Promise.allSettled(this.#underway), limit]).then(close);
      return this.#closed;
    });
  }

  /** Gives the request a new session under a new id and ends the old one. */
  override regenerate(request: Request): Promise<void>;
  override regenerate(request: Request, callback: DoneCallback | undefined): void;
  override regenerate(request: Request, callback?: DoneCallback): Promise<void> | undefined {
    // express-session's own order: the new session comes even when the old one could not be ended.
    return this.#answer(callback, () => this.#end(request.sessionID).finally(() => this.generate(request)));
  }

  /** Loads a session outside a request, as a `Session` with its methods; `undefined` when there is none. */
  override load(sid: string): Promise<(Session & SessionData) | undefined>;
  override load(sid: string, callback: ResultCallback<Session & SessionData>): void;
  override load(
    sid: string,
    callback?: ResultCallback<Session & SessionData>,
  ): Promise<(Session & SessionData) | undefined> | undefined {
    const load = async () => {
      const data = await this.#fetch(sid);
      // What a Session needs of its request.
      const request: object = { sessionID: sid, sessionStore: this };
      return data === null ? undefined : this.createSession(request as Request, data);
    };
    return this.#answer<(Session & SessionData) | undefined>(callback, load);
  }

  /** Makes a request's session of what `get` returned. Here the store learns what the request began with. */
  override createSession(request: Request, data: SessionData): Session & SessionData {
    const fetched = this.#fetched.get(data);
    const session = super.createSession(request, data);
    this.#known.set(session, {
      id: session.id,
      isNew: false,
      base: takeSnapshot(session),
      text: fetched?.id === session.id ? fetched.text : undefined,
      lost: undefined,
      deadline: fetched?.id === session.id ? fetched.deadline : 0,
    });
    return session;
  }

  #fetch(sid: string): Promise<SessionData | null> {
    return this.#inTurn('get', sid, 'read', async (call) => {
      const stored = await call.ask(() => this.#backend.read(sid, call));
      if (stored === undefined) return null;
      const session = await this.#decode('get', sid, stored);
      this.#fetched.set(session, { id: sid, text: stored.data, deadline: performance.now() + stored.ttl });
      return session;
    });
  }

  #end(sid: string): Promise<void> {
    return this.#inTurn('destroy', sid, 'change', async (call) => {
      await call.change(() => this.#backend.remove(sid, call));
    });
  }

  /** `set` and `touch`. What is stored is what the session holds now, not when its turn comes. */
  #store(operation: 'set' | 'touch', sid: string, session: SessionData): Promise<void> {
    let now: Snapshot;
    try {
      now = takeSnapshot(session);
    } catch (error) {
      return Promise.reject(this.#unfit(error, operation, sid));
    }
    const known = () => {
      const found = this.#known.get(session);
      if (found?.id !== sid) return undefined;
      // A call that timed out while it waited for a connection has sent nothing.
      while (found.lost !== undefined && !found.lost.call.pending) found.lost = found.lost.earlier;
      return found.isNew && found.text === undefined && found.lost === undefined ? undefined : found;
    };
    return this.#inTurn(operation, sid, 'change', async (call) => {
      const loaded = known();
      if (loaded !== undefined) return await this.#storeLoaded(call, operation, loaded, now);
      if (isRequestSession(session, sid, this))
        return await this.#storeNew(call, operation, sid, session, now);
      return await this.#storePlain(call, operation, sid, now);
    });
  }

  /** An object that no request knows: the contract's unconditional write. */
  async #storePlain(call: Call<void>, operation: 'set' | 'touch', sid: string, now: Snapshot): Promise<void> {
    const ttl = lifetime(now.timeLeft ?? this.#ttlMs);
    if (ttl < 1) await call.change(() => this.#backend.remove(sid, call));
    else if (operation === 'touch') await call.change(() => this.#backend.touch(sid, ttl, 'set', call));
    else {
      const text = this.#encode(call, sid, now);
      await call.change(() => this.#backend.write(sid, text, ttl, 'always', call));
    }
  }

  /** A session that this request has made: stored whatever is there, once. From then on it counts as loaded. */
  async #storeNew(
    call: Call<void>,
    operation: 'set' | 'touch',
    sid: string,
    session: SessionData & RequestSession,
    now: Snapshot,
  ): Promise<void> {
    const ttl = lifetime(fullLifetime(now) ?? this.#ttlMs);
    // A session that was destroyed or replaced before it was ever stored is no longer its request's.
    if (operation === 'touch' || ttl < 1 || session.req.session !== session)
      return this.#discard(operation, sid);

    const text = this.#encode(call, sid, now);
    const lost = { text, base: now, call, earlier: undefined };
    const known: Known = { id: sid, isNew: true, base: now, text: undefined, lost, deadline: 0 };
    this.#known.set(session, known);
    try {
      await call.change(() => this.#backend.write(sid, text, ttl, 'always', call));
    } catch (error) {
      // Sent twice, it could land after a logout; it may be sent again only when it certainly did not arrive.
      if (!mayHaveHappened(error)) this.#known.delete(session);
      throw error;
    }
    remember(known, now, text, ttl);
  }

  /** A session that the server had when this request loaded or first stored it. */
  async #storeLoaded(
    call: Call<void>,
    operation: 'set' | 'touch',
    known: Known,
    now: Snapshot,
  ): Promise<void> {
    const same = sameSettings(known.base, now);
    // With unchanged settings the whole lifetime counts: a slow request whose own `expires` has passed must not end a session
    // that others kept alive.
    const ttl = lifetime((same ? fullLifetime(known.base) : now.timeLeft) ?? this.#ttlMs);
    if (ttl < 1) {
      await call.change(() => this.#backend.remove(known.id, call));
      return;
    }
    if (!same) return await this.#save(call, operation, known, now, ttl);
    if (now.data !== known.base.data || known.lost !== undefined) {
      return await this.#save(
        call,
        operation,
        known,
        { ...now, originalMaxAge: known.base.originalMaxAge },
        ttl,
      );
    }

    const sinceMoved = ttl - (known.deadline - performance.now());
    if (operation === 'touch' && sinceMoved < (this.#touchAfterMs ?? ttl / 100)) return;
    const live = await call.change(() => this.#backend.touch(known.id, ttl, 'extend', call));
    if (!live) return this.#discard(operation, known.id);
    known.deadline = Math.max(known.deadline, performance.now() + ttl);
  }

  /** Stores a request's changes while the session is there, over nobody else's unless `conflicts` says so. */
  async #save(
    call: Call<void>,
    operation: 'set' | 'touch',
    known: Known,
    mine: Snapshot,
    ttl: number,
  ): Promise<void> {
    const { id, lost } = known;
    const text = this.#encode(call, id, mine);
    const write = async (when: WriteCondition) => {
      known.lost = { text, base: mine, call, earlier: lost };
      try {
        const written = await call.change(() => this.#backend.write(id, text, ttl, when, call));
        if (written) remember(known, mine, text, ttl);
        else known.lost = lost;
        return written;
      } catch (error) {
        if (!mayHaveHappened(error)) known.lost = lost;
        throw error;
      }
    };

    if (this.#conflicts === 'overwrite') {
      if (!(await write('exists'))) this.#discard(operation, id);
      return;
    }
    if (known.text !== undefined && (await write({ equals: known.text }))) return;
    for (;;) {
      const theirs = await call.ask(() => this.#backend.read(id, call));
      if (theirs === undefined) return this.#discard(operation, id);
      if (theirs.data !== lost?.text && theirs.data !== known.text) {
        if (this.#conflicts === 'reject') throw this.#error('CONFLICT', operation, id, CONFLICT);
        call.contended = true;
      }
      if (await write({ equals: theirs.data })) return;
    }
  }

  #discard(operation: 'set' | 'touch', sid: string): void {
    this.#announce('discarded', { operation, session: maskId(sid) });
  }

  async *#list(operation: 'all' | 'entries'): AsyncGenerator<ListedSession, void, undefined> {
    // Each step is a call of its own, with its own time limit.
    let step: Call<unknown> | undefined;
    const caller: Caller = {
      check: () => step?.check(),
      progress: () => step?.progress(),
      timeLeft: () => step?.timeLeft() ?? this.#timeoutMs,
      wait: (ready) => step?.wait(ready) ?? ready,
    };
    const sessions = this.#backend.entries(caller)[Symbol.asyncIterator]();
    let done: boolean | undefined = false;
    try {
      for (;;) {
        const next = await this.#run<IteratorResult<StoredSession & { id: string }>>(
          operation,
          undefined,
          (call) => {
            step = call;
            return call.ask(() => sessions.next());
          },
        );
        done = next.done;
        if (next.done) return;
        const { id, ...stored } = next.value;
        try {
          yield { ...(await this.#decode(operation, id, stored)), id };
        } catch (error) {
          if (!StoreError.isInstance(error)) throw error;
          this.#announce('failed', error);
        }
      }
    } finally {
      // Not waited for: behind a page that never comes it would hang.
      if (!done) Promise.resolve(sessions.return?.()).catch(() => undefined);
    }
  }

  #encode<T>(call: Call<T>, sid: string, snapshot: Snapshot): string {
    const json = toJson(snapshot);
    call.text = json;
    if (this.#serializer === JSON) return json;
    let text: unknown;
    try {
      text = this.#serializer.stringify(JSON.parse(json));
    } catch (error) {
      const cause = scrub(error, sid, json);
      throw this.#error('NOT_SERIALIZABLE', 'set', sid, 'the serializer threw an error', { cause });
    }
    if (typeof text === 'string') {
      call.text = text;
      return text;
    }
    const problem = `the serializer's stringify must return a string, got a value of type ${typeof text}`;
    throw this.#error('NOT_SERIALIZABLE', 'set', sid, problem);
  }

  async #decode(operation: string, sid: string, { data, ttl }: StoredSession): Promise<SessionData> {
    let session: unknown;
    try {
      session = await this.#serializer.parse(data);
    } catch (error) {
      const cause = scrub(error, sid, data);
      throw this.#error('CORRUPT', operation, sid, 'what is stored cannot be parsed', { cause });
    }
    if (!isSessionData(session)) {
      throw this.#error('CORRUPT', operation, sid, 'what is stored is no object with a `cookie`');
    }
    // The stored one is as old as the last write; touches have moved the deadline since.
    const { cookie } = session;
    // One that never ends on the server (a peer may store such) has only its settings to tell.
    const left = ttl === Number.POSITIVE_INFINITY ? (cookie.originalMaxAge ?? ttl) : ttl;
    if (cookie.expires) cookie.expires = new Date(Math.min(Date.now() + left, END_OF_TIME));
    return session;
  }

  #inTurn<T>(
    operation: string,
    sid: string,
    kind: 'read' | 'change',
    work: (call: Call<T>) => Promise<T>,
  ): Promise<T> {
    const problem = idProblem(sid);
    if (problem !== undefined) {
      return Promise.reject(
        this.#error(
          'INVALID_ID',
          operation,
          undefined,
          `the session id must be ${ID_WANTED}, got ${problem}`,
        ),
      );
    }
    return this.#run(operation, sid, work, (start) => this.#turns.take(sid, kind, start));
  }

  /** Every call on the backend goes through here: the time limit, and one kind of error. */
  #run<T>(
    operation: string,
    sid: string | undefined,
    work: (call: Call<T>) => Promise<T>,
    take: (start: () => Promise<T>) => Promise<T> = (start) => start(),
  ): Promise<T> {
    if (this.#closed !== undefined) {
      return Promise.reject(this.#error('CLOSED', operation, sid, 'the store was closed'));
    }
    const call = new Call<T>(this.#timeoutMs, (late) => this.#timeUp(operation, sid, late));
    take(() => call.start(work, (error) => this.#storeError(error, operation, sid, call)));
    this.#underway.add(call.answer);
    const leave = () => this.#underway.delete(call.answer);
    call.answer.then(leave, leave);
    return call.answer;
  }

  #answer<T>(
    callback: ((error: StoreError | null, result?: T) => void) | undefined,
    operation: () => Promise<T>,
  ): Promise<T> | undefined {
    if (callback !== undefined && callback !== null && typeof callback !== 'function') {
      throw new TypeError(`${this.#backend.name}: the callback must be a function, got ${typeof callback}`);
    }
    const result = operation();
    if (callback === undefined || callback === null) {
      // express-session drops the promise of a destroy without a callback; that must not end the process.
      result.catch((error: unknown) => StoreError.isInstance(error) && this.#announce('failed', error));
      return result;
    }
    // Outside the promise, so that what a callback throws is the caller's uncaught exception.
    result.then(
      (value) => process.nextTick(callback, null, value),
      (error: unknown) => process.nextTick(callback, error),
    );
    return undefined;
  }

  #announce<E extends keyof StoreEvents>(event: E, ...args: StoreEvents[E]): void {
    process.nextTick(() => this.emit(event, ...args));
  }

  #sweepEvery(intervalMs: number): void {
    // Several processes that were started together should not sweep together.
    const delay = intervalMs * (0.5 + Math.random());
    this.#sweepTimer = setTimeout(() => {
      const again = () => {
        if (this.#closed === undefined) this.#sweepEvery(intervalMs);
      };
      this.sweep().then(again, again);
    }, delay).unref();
  }

  #timeUp<T>(operation: string, sid: string | undefined, call: Call<T>): StoreError {
    const about = { mayHaveHappened: call.begun || call.pending };
    if (call.contended) return this.#error('CONFLICT', operation, sid, CONFLICT, about);
    return this.#error('TIMEOUT', operation, sid, `no answer within ${this.#timeoutMs} ms`, about);
  }

  /** Any error of the work as the one kind that callers see. */
  #storeError<T>(error: unknown, operation: string, sid: string | undefined, call: Call<T>): StoreError {
    if (StoreError.isInstance(error)) return error;
    const cause = scrub(error, sid, call.text);
    if (!(error instanceof BackendError)) {
      return this.#error('BACKEND', operation, sid, cause.message, { cause, mayHaveHappened: call.pending });
    }
    return this.#error(error.code, operation, sid, cause.message, {
      mayHaveHappened: call.begun || (call.pending && error.mayHaveHappened),
      ...(error.cause === undefined ? {} : { cause: scrub(error.cause, sid, call.text) }),
    });
  }

  #unfit(error: unknown, operation: string, sid: unknown): StoreError {
    const id = idProblem(sid) === undefined ? String(sid) : undefined;
    if (error instanceof NoSession) return this.#error('INVALID_SESSION', operation, id, error.message);
    // The further lines draw the circle in the session's structure.
    const [reason = ''] = scrub(error, id, undefined).message.split('\n', 1);
    return this.#error('NOT_SERIALIZABLE', operation, id, reason);
  }

  #error(
    code: StoreErrorCode,
    operation: string,
    sid: string | undefined,
    reason: string,
    about: { cause?: unknown; mayHaveHappened?: boolean } = {},
  ): StoreError {
    const { name } = this.#backend;
    const what = sid === undefined ? operation : `${operation} of session ${maskId(sid)}`;
    const outcome = about.mayHaveHappened ? ' (it may have taken effect)' : '';
    return new StoreError(`${name}: ${what} failed: ${reason}${outcome}`, {
      code,
      operation,
      backend: name,
      ...about,
    });
  }
}

const CONFLICT = 'another request changed the session first';
const ID_WANTED = `a non-empty, well-formed string of up to ${MAX_ID_LENGTH} UTF-16 units`;

/** What is wrong with an id, or `undefined`. Never the id itself. */
function idProblem(sid: unknown): string | undefined {
  if (typeof sid !== 'string') return sid === null ? 'null' : `a value of type ${typeof sid}`;
  if (sid === '') return 'an empty one';
  if (sid.length > MAX_ID_LENGTH) return `one of ${sid.length}`;
  // Every server turns a lone surrogate into U+FFFD, so that different ids would become one.
  return sid.isWellFormed() ? undefined : 'one with a lone surrogate';
}

/** Whole milliseconds, rounded down. */
function lifetime(ms: number): number {
  return Math.floor(Math.min(ms, END_OF_TIME - Date.now()));
}

function remember(known: Known, base: Snapshot, text: string, ttl: number): void {
  known.base = base;
  known.text = text;
  known.lost = undefined;
  known.deadline = performance.now() + ttl;
}

function mayHaveHappened(error: unknown): boolean {
  return !(error instanceof BackendError) || error.mayHaveHappened;
}

interface RequestSession {
  readonly req: { readonly session?: unknown };
}

/**
 * Told by its methods and id: the application may have a copy of express-session's `Session` class other than ours. A request
 * of another store, one that wraps ours perhaps, has not loaded its session here.
 */
function isRequestSession<T extends object>(
  session: T,
  sid: string,
  store: Store,
): session is T & RequestSession {
  return (
    'id' in session &&
    session.id === sid &&
    'save' in session &&
    typeof session.save === 'function' &&
    'req' in session &&
    isObject(session.req) &&
    session.req['sessionStore'] === store
  );
}

function isSessionData(value: unknown): value is SessionData {
  return isObject(value) && isObject(value['cookie']);
}
