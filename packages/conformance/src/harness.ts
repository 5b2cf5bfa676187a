import { show } from './calls.js';

/** A value, or a promise of it. */
export type Answer<T> = T | Promise<T>;

export type Callback = (error?: unknown, value?: unknown) => void;

/**
 * What a store says that it can do. What it claims has to work, and what it disclaims has to be absent; of what it does not mention,
 * nothing is judged.
 */
export interface Capabilities {
  /** Whether other processes that connect to the same server have the same sessions. */
  readonly shared?: boolean;
  /** Whether the server deletes by itself what has expired. */
  readonly nativeExpiry?: boolean;
  /** How coarse deadlines are, in milliseconds: a session may end this much early or late. Default 1000. */
  readonly grainMs?: number;
}

/** As much of an express-session store as the suite calls. Every class that extends express-session's `Store` fits. */
export interface AnyStore {
  get(sid: string, callback: Callback): unknown;
  set(sid: string, session: object, callback?: Callback): unknown;
  destroy(sid: string, callback?: Callback): unknown;
  touch?(sid: string, session: object, callback?: Callback): unknown;
  all?(callback: Callback): unknown;
  length?(callback: Callback): unknown;
  clear?(callback?: Callback): unknown;
  createSession(req: object, session: object): unknown;
  regenerate(req: object, callback: Callback): unknown;
  readonly capabilities?: Capabilities;
  /** Deletes what has expired, where the server does not; no part of express-session's contract. */
  sweep?(callback: Callback): unknown;
}

/** How a process of its own opens a store on the same data. */
export interface Elsewhere {
  /** The URL of a module whose default export makes the store, given `options`, or promises it. */
  readonly module: string;
  /** Whatever the function needs, as JSON. */
  readonly options?: unknown;
}

/** A store whose server can be taken away from it. */
export interface Interruptible<S extends AnyStore = AnyStore> {
  readonly store: S;
  /** Ends its connections to the server, and lets it make no others. */
  interrupt(): Answer<unknown>;
  /** Lets it connect again. Called at the end of the requirement as well. */
  restore(): Answer<unknown>;
  /** How long the store, as made here, may take to answer meanwhile, and then to work again, in milliseconds. Default 20000. */
  readonly withinMs?: number;
}

/** The store to be judged, and what the suite may know about it beyond the contract. */
export interface Subject<S extends AnyStore = AnyStore> {
  readonly store: S;
  /** Makes a second store on the same data, over a connection of its own. Without it, what needs two is `unsupported`. */
  connect?(): Answer<S>;
  /** Makes such a store in another process, which ends with the requirement. Without it, what needs one is `unsupported`. */
  readonly elsewhere?: Elsewhere;
  /**
   * Makes a store whose server the suite may take away and give back. Nothing else runs meanwhile, so that it may be the server itself
   * that is stopped. Without it, what is asked of a store whose server fails is `unsupported`.
   */
  interruptible?(): Answer<Interruptible<S>>;
  /**
   * Milliseconds until this session ends, read from the server itself; `undefined` when it is not there, `Infinity`
   * when it never ends. Without it, what can only be seen there is `unsupported`.
   */
  deadline?(sid: string): Answer<number | undefined>;
  /** Called once for the store and once for every store that `connect` or `interruptible` made, when a requirement is done with them. */
  cleanUp?(store: S): Answer<unknown>;
  /** What the store can do, as far as it does not say so itself by a property of this name. */
  readonly capabilities?: Capabilities;
  /** The longest that the server takes to delete what has expired, in milliseconds, if it does. Default 1000. */
  readonly expiryLagMs?: number;
  /**
   * The largest session that the store, as made here, is to take, in bytes of JSON, give or take a tenth; larger ones it refuses.
   * Without it, limits are `unsupported`.
   */
  readonly maxBytes?: number;
  /** How long the store, as made here, keeps a session whose cookie has no end of its own, in milliseconds. */
  readonly fallbackMs?: number;
}

/**
 * Makes a store for one requirement: empty, and on data of its own (a fresh prefix, table or directory), because
 * requirements run side by side and must not see each other. The least is `() => new MyStore()`; a `Subject` lets more be judged.
 */
export type Harness<S extends AnyStore = AnyStore> = () => Answer<S | Subject<S>>;

const subjectNames: Readonly<Record<keyof Subject, true>> = {
  store: true,
  connect: true,
  elsewhere: true,
  interruptible: true,
  deadline: true,
  cleanUp: true,
  capabilities: true,
  expiryLagMs: true,
  maxBytes: true,
  fallbackMs: true,
};

const capabilityNames: Readonly<Record<keyof Capabilities, true>> = {
  shared: true,
  nativeExpiry: true,
  grainMs: true,
};

/**
 * What a harness made, as a subject.
 *
 * @throws {TypeError} when it is neither a store nor a subject, or has a name that means nothing to the suite.
 */
export function subjectOf<S extends AnyStore>(made: S | Subject<S>): Subject<S> {
  if (typeof made !== 'object' || made === null) {
    throw new TypeError(`the harness has to return a store, or { store, … }, and returned ${show(made)}`);
  }
  if (!isSubject(made)) return { store: made };
  // What is misspelt would go unjudged, and nobody would know. A store's own capabilities may be for others as well.
  refuseUnknown('the harness', made, subjectNames);
  refuseUnknown("the harness's capabilities", made.capabilities ?? {}, capabilityNames);
  return made;
}

function refuseUnknown(what: string, given: object, known: object): void {
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length === 0) return;
  throw new TypeError(`${what} may have ${Object.keys(known).join(', ')}, and has ${unknown.join(', ')}`);
}

/** A store may keep something of its own under that name. */
function isSubject<S extends AnyStore>(made: S | Subject<S>): made is Subject<S> {
  return 'store' in made && !('get' in made);
}
