import { setTimeout as delay } from 'node:timers/promises';
import { type Session, type SessionData, Store } from 'express-session';
import type { Backend, Caller, Capabilities, StoredSession } from './backend.js';
import { Call } from './call.js';
import { Codec } from './codec.js';
import { BackendError, Failure, maskId, StoreError, type StoreErrorCode, scrub } from './errors.js';
import { DEFAULT_TIMEOUT_MS, type StoreOptions, type SweepOptions } from './options.js';
import { CONFLICT, RequestSessions, type SaveOperation } from './request-sessions.js';
import { type Snapshot, takeSnapshot } from './snapshot.js';
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
  discarded: [event: { operation: SaveOperation; session: string }];
  /** An error that nobody was waiting for: of a sweep, of a call without callback, of stored text that `all` passed over. */
  failed: [error: StoreError];
}

const DEFAULT_TTL_SECONDS = 86_400;
const DEFAULT_SWEEP_SECONDS = 60;
const MAX_ID_LENGTH = 128;

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
  readonly #codec: Codec;
  readonly #sessions: RequestSessions;
  readonly #timeoutMs: number;
  readonly #turns = new Turns();
  readonly #underway = new Set<Promise<unknown>>();
  #sweepTimer: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  /** @param options What `checkOptions` has passed. */
  protected constructor(backend: Backend, options: StoreOptions & SweepOptions) {
    super();
    this.#backend = backend;
    this.#codec = new Codec(options.serializer ?? JSON);
    this.#sessions = new RequestSessions({
      backend,
      codec: this.#codec,
      store: this,
      ttlMs: (options.ttl ?? DEFAULT_TTL_SECONDS) * 1000,
      touchAfterMs: options.touchAfter === undefined ? undefined : options.touchAfter * 1000,
      conflicts: options.conflicts ?? 'merge',
      discard: (operation, id) => this.#announce('discarded', { operation, session: maskId(id) }),
    });
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
    const session = super.createSession(request, data);
    this.#sessions.loaded(session, data);
    return session;
  }

  #fetch(sid: string): Promise<SessionData | null> {
    return this.#inTurn('get', sid, 'read', async (call) => {
      const stored = await call.ask(() => this.#backend.read(sid, call));
      if (stored === undefined) return null;
      const session = await this.#codec.decode(stored);
      this.#sessions.fetched(session, sid, stored);
      return session;
    });
  }

  #end(sid: string): Promise<void> {
    return this.#inTurn('destroy', sid, 'change', async (call) => {
      await call.change(() => this.#backend.remove(sid, call));
    });
  }

  /** `set` and `touch`. What is stored is what the session holds now, not when its turn comes. */
  #store(operation: SaveOperation, sid: string, session: SessionData): Promise<void> {
    let now: Snapshot;
    try {
      now = takeSnapshot(session);
    } catch (error) {
      return Promise.reject(this.#unfit(error, operation, sid));
    }
    const over = this.#sessions.expect(sid);
    return this.#inTurn<void>(operation, sid, 'change', (call) =>
      this.#sessions.save(call, operation, sid, session, now),
    ).finally(over);
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
          yield { ...(await this.#codec.decode(stored)), id };
        } catch (error) {
          if (!(error instanceof Failure)) throw error;
          this.#announce('failed', this.#failure(error, operation, id));
        }
      }
    } finally {
      // Not waited for: behind a page that never comes it would hang.
      if (!done) Promise.resolve(sessions.return?.()).catch(() => undefined);
    }
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
    if (error instanceof Failure) return this.#failure(error, operation, sid);
    const cause = scrub(error, sid, call.text);
    if (!(error instanceof BackendError)) {
      return this.#error('BACKEND', operation, sid, cause.message, { cause, mayHaveHappened: call.pending });
    }
    return this.#error(error.code, operation, sid, cause.message, {
      mayHaveHappened: call.begun || (call.pending && error.mayHaveHappened),
      ...(error.cause === undefined ? {} : { cause: scrub(error.cause, sid, call.text) }),
    });
  }

  #failure({ code, message, cause }: Failure, operation: string, sid: string | undefined): StoreError {
    const about = cause === undefined ? {} : { cause: scrub(cause, sid, undefined) };
    return this.#error(code, operation, sid, message, about);
  }

  #unfit(error: unknown, operation: string, sid: unknown): StoreError {
    const id = idProblem(sid) === undefined ? String(sid) : undefined;
    if (error instanceof Failure) return this.#failure(error, operation, id);
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

const ID_WANTED = `a non-empty, well-formed string of up to ${MAX_ID_LENGTH} UTF-16 units`;

/** What is wrong with an id, or `undefined`. Never the id itself. */
function idProblem(sid: unknown): string | undefined {
  if (typeof sid !== 'string') return sid === null ? 'null' : `a value of type ${typeof sid}`;
  if (sid === '') return 'an empty one';
  if (sid.length > MAX_ID_LENGTH) return `one of ${sid.length}`;
  // Every server turns a lone surrogate into U+FFFD, so that different ids would become one.
  return sid.isWellFormed() ? undefined : 'one with a lone surrogate';
}
