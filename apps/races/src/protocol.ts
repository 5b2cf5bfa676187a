import type { Place } from './stores.js';

/** One thing that a request does with its session. Paths have dots: `prefs.theme`. */
export type Step =
  | readonly ['put', path: string, value: unknown]
  | readonly ['drop', path: string]
  | readonly ['push', path: string, value: unknown]
  | readonly ['pull', path: string, value: unknown]
  /** Answers with the items of an array, and empties it. */
  | readonly ['show', path: string]
  /** Answers with the items of an array, and deletes it. */
  | readonly ['take', path: string]
  | readonly ['maxAge', milliseconds: number]
  /** An explicit save that is waited for, and one that is not. */
  | readonly ['save']
  | readonly ['saveLater']
  /** A reload that fails because the session has ended changes nothing, and the request goes on. */
  | readonly ['reload']
  | readonly ['regenerate']
  | readonly ['destroy']
  /** Ends the round's session from outside of it, as "log out everywhere" does. */
  | readonly ['end'];

/** A request, as the application is told it. It loads its session first and answers last; these are steps as well. */
export interface Plan {
  readonly round: string;
  /** Unique in the run. */
  readonly name: string;
  /** The session that the round is about. */
  readonly session: string;
  readonly steps: readonly Step[];
  /** How many steps it goes until it is held, for the first time. */
  readonly go: number;
}

/** Where a request is held. */
export interface Held {
  /** Its session's id. */
  readonly id: string;
}

export interface Answer {
  /** The id of its session in the end. */
  readonly id: string;
  /** What it has shown. */
  readonly shown: readonly unknown[];
}

/** A session as a store and its server have it. */
export interface Found {
  /** What the store's `get` answers. */
  readonly session: Readonly<Record<string, unknown>> | null;
  /** Milliseconds until the server forgets it, read from the server where there is one; `undefined` when nothing of it is there. */
  readonly left: number | undefined;
}

/** What an application process is told to be. */
export interface Settings extends Place {
  /** How many applications share the process and the store. */
  readonly count: number;
  /** How far the process's clock is ahead of the others', in milliseconds. */
  readonly ahead: number;
}

/** How a call on a store was answered. */
export type Outcome<T> =
  | { readonly saw: T }
  /** `mayHaveHappened`: the error does not say that it certainly did not. */
  | { readonly error: string; readonly mayHaveHappened: boolean };

/** What a request does with the cart in its session. */
interface CartChange {
  readonly add?: string;
  readonly remove?: string;
}

/** What the driving process can ask of an application process. */
export interface ApplicationCalls {
  /** Starts to serve; answers the ports. */
  listen(): Promise<number[]>;
  /** Lets a held request go on for some steps. */
  resume(name: string, steps: number): void;
  find(id: string): Promise<Found>;
  /** Plain calls on the store; a session is one value. */
  set(id: string, value: string): Promise<Outcome<void>>;
  get(id: string): Promise<Outcome<string | null>>;
  destroy(id: string): Promise<Outcome<void>>;
  /** A plain session with an empty cart. */
  begin(id: string): Promise<Outcome<void>>;
  /** Loads a session as a request does; answers its cart. */
  load(id: string, request: string): Promise<Outcome<readonly string[] | null>>;
  /** Changes the cart of a session that was loaded, and saves it. */
  save(request: string, change: CartChange): Promise<Outcome<void>>;
  /** Deletes everything of this run. */
  drop(): Promise<void>;
}

/** What an application process tells the driving one. */
export interface DriverCalls {
  held(name: string, at: Held): void;
  /** An error that no answer tells of: after the headers, or one that nobody has caught (then without a round). */
  trouble(round: string | undefined, what: string): void;
}
