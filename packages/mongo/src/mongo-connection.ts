import { BackendError, type Caller, rule } from '@session-stores/core';
import { type ClientSession, type ClusterTime, type Collection, MongoClient, type Timestamp } from 'mongodb';

/** A session as it is stored. What a peer keeps beside these fields is left as it is. */
export interface SessionDocument {
  readonly _id: string;
  /** The session's text, or the session itself as a subdocument. */
  readonly session?: unknown;
  /** Missing: the session does not expire. */
  readonly expires?: Date;
}

export type Sessions = Collection<SessionDocument>;

/** What every request to the server goes with. */
export interface Limits {
  readonly session: ClientSession;
  readonly maxTimeMS: number;
}

/** The server gives up before we do, and we before the caller is answered, so that the answer says what is known by then. */
const EARLIER = 0.9;

/**
 * A client that waits for nothing longer than `timeoutMs`. A server that is down is named as the reason before time is up; one that
 * is back is noticed within a second.
 */
export function openClient(url: string, timeoutMs: number): MongoClient {
  const wait = Math.ceil(timeoutMs * EARLIER ** 3);
  return new MongoClient(url, {
    serverSelectionTimeoutMS: wait,
    connectTimeoutMS: wait,
    waitQueueTimeoutMS: wait,
    socketTimeoutMS: timeoutMs,
    heartbeatFrequencyMS: 1000,
  });
}

const client = rule.withMethods('a MongoClient', 'connect', 'db', 'startSession');

/** Told by its methods: the application may have another copy of the driver than ours. */
export function isClient(value: unknown): value is MongoClient {
  return client.accepts(value);
}

export interface ConnectionOptions {
  readonly client: MongoClient | Promise<MongoClient>;
  readonly ownsClient: boolean;
  readonly dbName: string | undefined;
  readonly collectionName: string;
  readonly expiry: 'native' | 'sweep';
}

/** The collection of sessions. It is connected to, and its index made, with the first request. */
export class Connection {
  readonly #options: ConnectionOptions;
  #ready: Promise<{ client: MongoClient; sessions: Sessions }> | undefined;
  /** The latest moment that a replica set has answered from. A secondary must not answer from before it. */
  #seen: { readonly operationTime: Timestamp; readonly clusterTime: ClusterTime } | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    // It is looked at with the first request; until then its failure is nobody's.
    Promise.resolve(options.client).catch(() => {});
  }

  /**
   * Sends a request. When the caller's time is up nothing more is sent: neither what waited for a connection, nor what the driver
   * would send again. What the server holds up, for a lock say, it gives up.
   */
  async run<T>(caller: Caller, request: (sessions: Sessions, limits: Limits) => Promise<T>): Promise<T> {
    const limit = caller.timeLeft() * EARLIER;
    const maxTimeMS = Math.max(1, Math.floor(limit * EARLIER));
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new TimeUp()), limit).unref();
    });
    let session: ClientSession | undefined;
    this.#ready ??= this.#prepare();
    const ready = this.#ready;
    try {
      const { client, sessions } = await Promise.race([ready, timeUp]);
      session = client.startSession();
      session.serverSession.lastUse = NEVER;
      caller.check();
      if (this.#seen !== undefined && (sessions.readPreference?.mode ?? 'primary') !== 'primary') {
        session.advanceOperationTime(this.#seen.operationTime);
        session.advanceClusterTime(this.#seen.clusterTime);
      }
      return await Promise.race([request(sessions, { session, maxTimeMS }), timeUp]);
    } catch (error) {
      // An attempt that failed, or that takes too long, is nothing to wait for.
      if (session === undefined && this.#ready === ready) this.#ready = undefined;
      // What is still under way on the server with this session must not hold up who would get it next.
      if (session !== undefined && error instanceof TimeUp) session.serverSession.isDirty = true;
      throw explain(error, session !== undefined && session.serverSession.lastUse !== NEVER);
    } finally {
      clearTimeout(timer);
      if (session !== undefined) {
        this.#see(session);
        // The driver sends nothing with a session that has ended.
        session.endSession();
      }
    }
  }

  async close(): Promise<void> {
    if (this.#options.ownsClient) await (await this.#options.client).close();
  }

  #see({ operationTime, clusterTime }: ClientSession): void {
    if (operationTime === undefined || clusterTime === undefined) return;
    if (this.#seen?.operationTime.greaterThan(operationTime)) return;
    this.#seen = { operationTime, clusterTime };
  }

  async #prepare(): Promise<{ client: MongoClient; sessions: Sessions }> {
    const client = await this.#options.client;
    if (!isClient(client)) {
      throw new BackendError('the promise given as `client` holds no MongoClient', {
        code: 'BACKEND',
        mayHaveHappened: false,
      });
    }
    // Without it, a client whose first connection failed would say "Topology is closed" for ever.
    await client.connect();
    const { dbName, collectionName, expiry } = this.#options;
    const { w, journal } = client.options.writeConcern ?? {};
    const sessions = client.db(dbName).collection<SessionDocument>(collectionName, {
      // With less, a server that crashes or a primary that loses an election forgets logouts that it has acknowledged. Without an
      // answer (0) there would be no conditional writes.
      writeConcern: { w: w || 'majority', journal: journal ?? true },
      // The application may have set its client to other values for documents of its own.
      raw: false,
      promoteLongs: true,
      promoteValues: true,
      useBigInt64: false,
      ignoreUndefined: false,
    });
    await makeIndex(sessions, expiry);
    return { client, sessions };
  }
}

class TimeUp extends Error {}

/** The driver notes in a session when it has last sent something with it. */
const NEVER = 0;

/** Makes the index that the expiry needs, unless there is one that serves. */
async function makeIndex(sessions: Sessions, expiry: 'native' | 'sweep'): Promise<void> {
  const present = await sessions.indexes().catch((error: unknown) => {
    if (codeOf(error) === NO_COLLECTION) return [];
    throw error;
  });
  const onExpires = present.filter(({ key }) => Object.keys(key)[0] === 'expires');
  if (expiry === 'sweep') {
    // Not on `expires` alone: that would be in the way of the index that native expiry needs.
    if (onExpires.length === 0) await sessions.createIndex({ expires: 1, _id: 1 });
    return;
  }
  // Any delay will do: what has expired is not answered, whether or not it is still there.
  if (onExpires.some(({ expireAfterSeconds }) => expireAfterSeconds !== undefined)) return;
  const inTheWay = onExpires.find(({ key }) => Object.keys(key).length === 1);
  if (inTheWay !== undefined) {
    const problem =
      `the index ${inTheWay.name} of ${sessions.namespace} does not expire sessions. ` +
      "Drop it, and one with `expireAfterSeconds: 0` is made; or use the option `expiry: 'sweep'`";
    throw new BackendError(problem, { code: 'BACKEND', mayHaveHappened: false });
  }
  await sessions.createIndex({ expires: 1 }, { expireAfterSeconds: 0 });
}

const NO_COLLECTION = 26;
const TIME_LIMIT = 50;
const TOO_LARGE = [10334, 17419, 17420];
/** The primary is stepping down, or the server is shutting down or recovering. */
const NO_PRIMARY = [91, 189, 10058, 10107, 11600, 11602, 13435, 13436];

function explain(error: unknown, sent: boolean): unknown {
  if (error instanceof BackendError) return error;
  const { name = '', message = String(error) } = error instanceof Error ? error : {};

  if (name === 'MongoServerError' || name === 'MongoWriteConcernError') {
    // A write concern that failed says that the write itself did not. A retryable one may have been sent before.
    const mayHaveHappened = sent && (name === 'MongoWriteConcernError' || isRetryable(error));
    return new BackendError(message, { code: meaningOf(codeOf(error)), mayHaveHappened, cause: error });
  }
  if (error instanceof TimeUp || name === 'MongoNetworkTimeoutError') {
    if (sent) {
      return new BackendError('the server did not answer in time', {
        code: 'TIMEOUT',
        mayHaveHappened: true,
      });
    }
    return unavailable('there is no connection to the server', false);
  }
  if (NOT_BSON.test(name)) return new BackendError(message, { code: 'BACKEND', mayHaveHappened: false });
  const reason = sent ? 'the connection to the server was lost' : 'there is no connection to the server';
  return unavailable(reason, sent, error);
}

/** What cannot be put as BSON has not been sent. */
const NOT_BSON = /^(BSON.*|Range|Type)Error$/;

function unavailable(reason: string, mayHaveHappened: boolean, cause?: unknown): BackendError {
  return new BackendError(reason, { code: 'UNAVAILABLE', mayHaveHappened, cause });
}

function meaningOf(code: number | undefined): BackendError['code'] {
  if (code === undefined) return 'BACKEND';
  if (code === TIME_LIMIT) return 'TIMEOUT';
  if (TOO_LARGE.includes(code)) return 'TOO_LARGE';
  return NO_PRIMARY.includes(code) ? 'UNAVAILABLE' : 'BACKEND';
}

export function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}

function isRetryable(error: unknown): boolean {
  return (
    error instanceof Error &&
    'errorLabels' in error &&
    Array.isArray(error.errorLabels) &&
    error.errorLabels.includes('RetryableWriteError')
  );
}
