/**
 * When a write may take effect. The check and the write are one atomic step on the server.
 *
 * - `'always'`: create or replace.
 * - `'exists'`: only while a live session with this id is there.
 * - `{ equals }`: only while the live session's stored text is exactly this one.
 */
export type WriteCondition = 'always' | 'exists' | { readonly equals: string };

/**
 * The longest `equals`, in UTF-16 units, that is better sent as it is: of a longer one, a hash keeps a large session from being
 * sent twice; of a shorter one, the hash costs more.
 */
export const SENT_WHOLE = 16_384;

/** What a backend can do. */
export interface Capabilities {
  /** Other processes that connect to the same server see the same sessions. */
  readonly shared: boolean;
  /** The server deletes expired sessions by itself; without it the backend has a `sweep`. */
  readonly nativeExpiry: boolean;
  /** The grain of deadlines in milliseconds; they are rounded down to it. */
  readonly grainMs: number;
}

/** A session as the server holds it: its text, and the milliseconds it has left on the server's own clock. */
export interface StoredSession {
  readonly data: string;
  readonly ttl: number;
}

/** A promise, or the value at once from a backend that needs no server. */
export type Answer<T> = T | Promise<T>;

/** The call that a backend serves. A backend that neither waits for connections nor works in pages need not look at it. */
export interface Caller {
  /**
   * After each wait for a connection and the like, before anything is sent: throws when the caller has been answered meanwhile.
   * What was answered with an error must not be carried out later.
   */
  check(): void;
  /**
   * Waits for what has to be there before anything is sent, a connection, say; then the same. A call whose time runs out meanwhile
   * has certainly changed nothing.
   */
  wait<T>(ready: Promise<T>): Promise<T>;
  /** After each page of a long operation: the same, and the time limit starts again. */
  progress(): void;
  /**
   * The milliseconds that what is sent may take; 0 once the caller has been answered. They end a little before the caller's own, so
   * that what the server or the driver says of the end, which is more exact, comes first.
   */
  timeLeft(): number;
}

/**
 * Where sessions are kept. Ids and data are opaque strings; lifetimes are whole milliseconds, at least 1, from now on the
 * server's own clock. `SessionStore` has checked every argument before a backend sees it, keeps calls on one id in
 * order, and gives up on a call after `timeoutMs`; a backend must not carry it out after that, see `Caller`.
 *
 * A failure is thrown as a `BackendError` where its meaning is known; anything else counts as an unknown outcome.
 */
export interface Backend {
  /** The name in error messages: `redis`, `mysql`, … */
  readonly name: string;
  readonly capabilities: Capabilities;
  /** The live session, or `undefined`. Never an expired one. */
  read(id: string, caller: Caller): Answer<StoredSession | undefined>;
  /** Stores when the condition holds; says whether it did. */
  write(id: string, data: string, ttl: number, when: WriteCondition, caller: Caller): Answer<boolean>;
  /** Moves the deadline of a live session (`'extend'`: only to a later one); false when there is none. Never creates, never revives. */
  touch(id: string, ttl: number, how: 'set' | 'extend', caller: Caller): Answer<boolean>;
  /** Deletes; says whether a live session was there. */
  remove(id: string, caller: Caller): Answer<boolean>;
  /** Streams live sessions, each once, in memory bounded but for the ids seen where the server repeats them. */
  entries(caller: Caller): AsyncIterable<StoredSession & { readonly id: string }>;
  /** The number of live sessions. */
  count(caller: Caller): Answer<number>;
  /** Deletes every session of this backend, and nothing else on the server. */
  clear(caller: Caller): Answer<void>;
  /** Deletes expired sessions in bounded batches; says how many. For servers that do not do so themselves. */
  sweep?(caller: Caller): Answer<number>;
  /** Closes what the backend opened itself. */
  close(): Answer<void>;
}
