import { createHash } from 'node:crypto';
import { types } from 'node:util';

/**
 * What went wrong; the codes are stable.
 *
 * - `INVALID_ID`: not a non-empty, well-formed string of up to 128 UTF-16 units.
 * - `INVALID_OPTION`: an option of the constructor.
 * - `INVALID_SESSION`: the session to store is no object with a `cookie`, or its `cookie.expires` is no date.
 * - `NOT_SERIALIZABLE`: `JSON.stringify` or the `serializer` refused the session.
 * - `TOO_LARGE`: the session is larger than the server takes. What was stored before is intact.
 * - `CORRUPT`: the text on the server is no session.
 * - `TIMEOUT`: no answer within `timeoutMs`.
 * - `UNAVAILABLE`: the server cannot be reached.
 * - `CONFLICT`: another request changed the session first.
 * - `CLOSED`: the store was closed.
 * - `BACKEND`: the server answered with an error; see `cause`.
 */
export type StoreErrorCode =
  | 'INVALID_ID'
  | 'INVALID_OPTION'
  | 'INVALID_SESSION'
  | 'NOT_SERIALIZABLE'
  | 'TOO_LARGE'
  | 'CORRUPT'
  | 'TIMEOUT'
  | 'UNAVAILABLE'
  | 'CONFLICT'
  | 'CLOSED'
  | 'BACKEND';

const marker = Symbol.for('@session-stores/core:StoreError');

/** The only kind of error that a store answers with. Its message and `cause` hold no session id, data or password. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  /** The method that failed: `get`, `set`, …; `construct` for options. */
  readonly operation: string;
  /** The backend's name: `memory`, `redis`, … */
  readonly backend: string;
  /** False: the operation certainly changed nothing. True: it may have taken effect, the answer was lost. */
  readonly mayHaveHappened: boolean;

  constructor(
    message: string,
    about: {
      code: StoreErrorCode;
      operation: string;
      backend: string;
      mayHaveHappened?: boolean;
      cause?: unknown;
    },
  ) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.code = about.code;
    this.operation = about.operation;
    this.backend = about.backend;
    this.mayHaveHappened = about.mayHaveHappened ?? false;
    Object.defineProperty(this, marker, { value: true });
  }

  /** Like `instanceof`, and also true for errors of another installed copy of this package. */
  static isInstance(value: unknown): value is StoreError {
    return value instanceof Error && marker in value;
  }
}

/** What a backend throws when it knows what a failure means. `SessionStore` makes a `StoreError` of it. */
export class BackendError extends Error {
  override readonly name = 'BackendError';
  readonly code: 'TOO_LARGE' | 'TIMEOUT' | 'UNAVAILABLE' | 'CLOSED' | 'BACKEND';
  /** Whether the call may have taken effect on the server all the same. */
  readonly mayHaveHappened: boolean;

  /** @param message What happened, to follow a colon: `the connection was lost`. Without ids, data or passwords. */
  constructor(message: string, about: Pick<BackendError, 'code' | 'mayHaveHappened'> & { cause?: unknown }) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.code = about.code;
    this.mayHaveHappened = about.mayHaveHappened;
  }

  /** Nothing was sent, for want of a connection. */
  static notConnected(cause?: unknown): BackendError {
    const message = 'there is no connection to the server';
    return new BackendError(message, { code: 'UNAVAILABLE', mayHaveHappened: false, cause });
  }

  /** Something was sent, and its answer will never come. */
  static connectionLost(mayHaveHappened: boolean, cause?: unknown): BackendError {
    const message = 'the connection to the server was lost';
    return new BackendError(message, { code: 'UNAVAILABLE', mayHaveHappened, cause });
  }

  /** Something was sent, and its answer takes too long. */
  static noAnswer(mayHaveHappened: boolean): BackendError {
    return new BackendError('the server did not answer in time', { code: 'TIMEOUT', mayHaveHappened });
  }

  /** The server, or the backend for it, has said no: nothing was changed. */
  static refused(message: string, cause?: unknown): BackendError {
    return new BackendError(message, { code: 'BACKEND', mayHaveHappened: false, cause });
  }

  /** The session is larger than the server takes, and was not sent. */
  static tooLarge(limit: string): BackendError {
    const message = `the session is larger than ${limit}`;
    return new BackendError(message, { code: 'TOO_LARGE', mayHaveHappened: false });
  }
}

/** What this package finds wrong by itself, before it is known of which operation. `SessionStore` makes a `StoreError` of it. */
export class Failure extends Error {
  readonly code: StoreErrorCode;

  /** @param cause Scrubbed. */
  constructor(code: StoreErrorCode, message: string, cause?: Error) {
    super(message, cause && { cause });
    this.code = code;
  }
}

/** How a session is named in errors, events and logs: a short hash of its id, of no use to whoever reads it. */
export function maskId(id: string): string {
  return `#${createHash('sha256').update(id).digest('hex').slice(0, 8)}`;
}

/** Shorter ids could be ordinary words of a message; they are masked only where they stand alone. */
const DISTINCTIVE = 8;

/** A copy of a driver's error that is safe to log: no id, no data, no credentials, and none of its own properties. */
export function scrub(error: unknown, id: string | undefined, data: string | undefined): Error {
  const source = types.isNativeError(error) || error instanceof Error ? error : notAnError(error);
  const { name } = source;
  // JSON.parse quotes the text that it was given, from anywhere in it.
  let message = name === 'SyntaxError' ? 'the text cannot be parsed' : String(source.message);
  message = message.replace(/\/\/\S*@/g, '//***@');
  if (data !== undefined) message = cutAt(message, data);
  if (id !== undefined) message = cutAt(masked(message, id), id);

  const copy = new Error(message);
  copy.name = name;
  copy.stack = [`${name}: ${message}`, ...frames(source)].join('\n');
  if ('code' in source && (typeof source.code === 'string' || typeof source.code === 'number')) {
    Object.assign(copy, { code: source.code });
  }
  return copy;
}

function notAnError(thrown: unknown): Error {
  return new Error(typeof thrown === 'string' ? thrown : `a value of type ${typeof thrown} was thrown`);
}

function masked(message: string, id: string): string {
  const literal = id.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  const pattern = id.length < DISTINCTIVE ? `(?<![\\p{L}\\p{N}_])${literal}(?![\\p{L}\\p{N}_])` : literal;
  return message.replace(new RegExp(pattern, 'gu'), maskId(id));
}

/**
 * Servers quote long arguments in part, and drivers with escapes, so the beginning of a secret is enough to cut a message
 * off.
 */
function cutAt(message: string, secret: string): string {
  if (secret.length < DISTINCTIVE) return message;
  const start = secret.slice(0, 2 * DISTINCTIVE);
  const found = [start, JSON.stringify(start).slice(1, -1)].map((each) => message.indexOf(each));
  const first = Math.min(...found.filter((at) => at >= 0));
  return first === Number.POSITIVE_INFINITY ? message : `${message.slice(0, first)}…`;
}

/** A stack begins with the message, whose own lines are no frames; where it has another message, nothing of it is safe. */
function frames({ stack, message }: Error): string[] {
  const at = stack?.indexOf(message) ?? -1;
  if (stack === undefined || at < 0) return [];
  const lines = stack.slice(at + message.length).split('\n');
  return lines.filter((line) => line.startsWith('    at '));
}
