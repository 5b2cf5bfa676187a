import { StoreError } from './errors.js';

/** How sessions become the text that is stored. Both work on the session's JSON form. */
export interface Serializer {
  stringify(session: object): string;
  /** May return a promise. */
  parse(text: string): unknown;
}

/** The options that every store takes. */
export interface StoreOptions {
  /** Lifetime in seconds of a session whose cookie has no `expires`. Default 86400, a day. */
  ttl?: number | undefined;
  /**
   * A session that was not changed is not touched again on the server while less than this many seconds have passed since its
   * deadline was last moved. 0: always. Default: one hundredth of its lifetime. Keep it well below the lifetime.
   */
  touchAfter?: number | undefined;
  /** Default `JSON`. */
  serializer?: Serializer | undefined;
  /**
   * What happens when two requests change one session. `'merge'` (default): the later writer's changes are redone on what the
   * earlier one has stored. `'overwrite'`: the later writer's session stands. `'reject'`: the later writer is answered with a
   * `CONFLICT` error.
   */
  conflicts?: 'merge' | 'overwrite' | 'reject' | undefined;
  /** Every operation is answered within this many milliseconds (`all`, `entries`, `length` and `clear`: each page). Default 5000. */
  timeoutMs?: number | undefined;
}

/** The further option of stores whose server does not delete expired sessions by itself. */
export interface SweepOptions {
  /** Seconds between two deletions of expired sessions, give or take a half. Default 60. */
  sweepInterval?: number | undefined;
}

/** One option's check: what is wanted, in words that follow "must be", and whether a value is that. */
export interface OptionRule {
  readonly wants: string;
  accepts(value: unknown): boolean;
  /** The value may hold a password: messages leave it out. */
  readonly secret?: boolean;
}

/** The longest time, in milliseconds, that Node's timers keep; longer ones fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Sweeps are put off by up to a half. */
const MAX_SWEEP_SECONDS = Math.floor(MAX_TIMER_MS / 1500);

/** What `timeoutMs` is when it is not given. */
export const DEFAULT_TIMEOUT_MS = 5_000;

/** The longest time that a `Date` can be away from 1970. */
const MAX_SECONDS = 8.64e12;

function number(wants: string, accepts: (value: number) => boolean): OptionRule {
  return { wants, accepts: (value) => typeof value === 'number' && accepts(value) };
}

function hasMethods(value: unknown, ...names: string[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    names.every((name) => typeof Reflect.get(value, name) === 'function')
  );
}

/** Rules to put together a store's own options with. */
export const rule = {
  string: { wants: 'a string', accepts: (value) => typeof value === 'string' },
  nonEmptyString: {
    wants: 'a non-empty string',
    accepts: (value) => typeof value === 'string' && value !== '',
  },
  seconds: number('a number of seconds above 0', (value) => value > 0 && value <= MAX_SECONDS),
  secondsOrZero: number('a number of seconds, 0 or more', (value) => value >= 0 && value <= MAX_SECONDS),
  timerSeconds: number(
    `a number of seconds above 0 and up to ${MAX_SWEEP_SECONDS}`,
    (value) => value > 0 && value <= MAX_SWEEP_SECONDS,
  ),
  timerMs: number(
    `a number of milliseconds from 1 to ${MAX_TIMER_MS}`,
    (value) => value >= 1 && value <= MAX_TIMER_MS,
  ),
  count: {
    wants: 'a whole number from 1 up',
    accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
  },
  oneOf: (...values: string[]): OptionRule => ({
    wants: values.map((value) => `'${value}'`).join(' or '),
    accepts: (value) => values.some((each) => each === value),
  }),
  withMethods: (wants: string, ...names: string[]): OptionRule => ({
    wants,
    accepts: (value) => hasMethods(value, ...names),
  }),
} as const satisfies Record<string, OptionRule | ((...args: string[]) => OptionRule)>;

const common: Record<keyof StoreOptions, OptionRule> = {
  ttl: rule.seconds,
  touchAfter: rule.secondsOrZero,
  serializer: rule.withMethods('an object with the functions stringify and parse', 'stringify', 'parse'),
  conflicts: rule.oneOf('merge', 'overwrite', 'reject'),
  timeoutMs: rule.timerMs,
};

/** What users of the published stores know under other names. */
const knownElsewhere: Record<string, string> = {
  autoRemove: 'use `expiry` where the store has it',
  autoRemoveInterval: 'use `sweepInterval`, in seconds',
  checkExpirationInterval: 'use `sweepInterval`, in seconds',
  checkPeriod: 'use `sweepInterval`, in seconds',
  clearExpired: 'expired sessions are always deleted; `sweepInterval`, in seconds, says how often',
  clearInterval: 'use `sweepInterval`, in seconds',
  client: 'use `pool` or `file`, whichever the store has',
  clientPromise: 'use `client`',
  collection: 'use `collectionName`',
  conObject: 'give the connection options themselves',
  conString: 'use `connectionString`',
  connectionLimit: 'give a `pool` of your own',
  createAutoRemoveIdx: 'use `expiry` where the store has it',
  createDatabaseTable: 'use `createTable`',
  createTableIfMissing: 'use `createTable`',
  crypto: 'use `serializer`, an object with stringify and parse',
  cryptoAdapter: 'use `serializer`, an object with stringify and parse',
  disableTTL: 'sessions always expire; use a long `ttl`, in seconds',
  disableTouch: 'use `touchAfter`, in seconds: a deadline is not moved again within it',
  dispose: 'there is no such hook',
  endConnectionOnClose: 'the store closes what it opened, and leaves an injected client open',
  errorLog: 'listen to the event `failed`',
  expired: 'expired sessions are always deleted; `sweepInterval`, in seconds, says how often',
  expiration: 'use `ttl`, in seconds',
  max: 'use `maxSessions`',
  mongoOptions: 'give a `client` of your own, or parameters of the `url`',
  mongoUrl: 'use `url`',
  noDisposeOnSet: 'there is no such hook',
  pgPromise: 'give a `pool` of pg',
  pruneSessionInterval: 'use `sweepInterval`, in seconds',
  pruneSessionRandomizedInterval: '`sweepInterval` is kept give or take a half',
  queueLimit: '`timeoutMs` bounds the wait for a connection',
  reapInterval: 'use `sweepInterval`, in seconds',
  scanCount: 'the page size is chosen by the store',
  schema: 'use `table` and `columns`',
  schemaName: 'use `schema`',
  serialize: 'use `serializer`, an object with stringify and parse',
  stale: 'expired sessions are never returned',
  stringify: 'not needed: sessions that are kept as subdocuments are read, and stay subdocuments',
  tableName: 'use `table`',
  timestamps: 'no such fields are written',
  transformId: 'ids are stored as they are',
  unserialize: 'use `serializer`, an object with stringify and parse',
  waitForConnections: '`timeoutMs` bounds the wait for a connection',
  writeOperationOptions: 'give a `client` of your own, or parameters of the `url`',
};

/**
 * Refuses what is not an option of this store, and values that are not what the option wants. `undefined` counts as not given.
 *
 * @throws {StoreError} `INVALID_OPTION`
 */
export function checkOptions(
  store: { readonly name: string; readonly backend: string },
  options: object,
  own: Readonly<Record<string, OptionRule>>,
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidOption(store, `the options must be an object, got ${show(options, true)}`);
  }
  const rules: Readonly<Record<string, OptionRule>> = { ...common, ...own };
  for (const [name, value] of Object.entries(options)) {
    const wanted = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (wanted === undefined) {
      const advice = Object.hasOwn(knownElsewhere, name) ? knownElsewhere[name] : undefined;
      throw invalidOption(store, `unknown option \`${name}\`: ${advice ?? `there are ${list(rules)}`}`);
    }
    if (value !== undefined && !wanted.accepts(value)) {
      const given = show(value, wanted.secret ?? false);
      throw invalidOption(store, `option \`${name}\` must be ${wanted.wants}, got ${given}`);
    }
  }
}

/** An `INVALID_OPTION` error in the one format that they all have. */
export function invalidOption(
  store: { readonly name: string; readonly backend: string },
  problem: string,
): StoreError {
  return new StoreError(`${store.name}: ${problem}`, {
    code: 'INVALID_OPTION',
    operation: 'construct',
    backend: store.backend,
  });
}

function list(rules: Readonly<Record<string, OptionRule>>): string {
  return Object.keys(rules)
    .sort()
    .map((name) => `\`${name}\``)
    .join(', ');
}

function show(value: unknown, secret: boolean): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'string') {
    return secret ? 'a string' : `'${value.length > 40 ? `${value.slice(0, 40)}…` : value}'`;
  }
  if (!secret && (typeof value === 'number' || typeof value === 'boolean')) return String(value);
  return `a value of type ${typeof value}`;
}
