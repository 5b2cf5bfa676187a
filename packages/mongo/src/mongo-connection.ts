import { BackendError, type Caller, Once, rule } from '@session-stores/core';
import {
  type ClientSession,
  type ClusterTime,
  type Collection,
  MongoClient,
  type ServerHeartbeatFailedEvent,
  type Timestamp,
} from 'mongodb';
import { makeExpiryIndex } from './expiry-index.js';
import { explain, TimeUp } from './failures.js';

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

export interface ConnectionOptions {
  readonly client: MongoClient | Promise<MongoClient>;
  readonly ownsClient: boolean;
  readonly dbName: string | undefined;
  readonly collectionName: string;
  readonly expiry: 'native' | 'sweep';
}

interface Open {
  readonly client: MongoClient;
  readonly sessions: Sessions;
}

/** When the server gives up, as a part of the time that we wait for it. */
const EARLIER = 0.9;

/** When the driver gives up looking for a server, as a part of `timeoutMs`: early enough for its reason to be heard. */
const SELECTION = 0.7;

/** The driver notes in a session when it has last sent something with it. */
const NEVER = 0;

/**
 * A client that waits for nothing longer than `timeoutMs`. A server that is down is named as the reason before time is up; one that
 * is back is noticed within a second.
 */
export function openClient(url: string, timeoutMs: number): MongoClient {
  const wait = Math.ceil(timeoutMs * SELECTION);
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

/** The collection of sessions. It is connected to, and its index made, with the first request. */
export class MongoConnection {
  readonly #options: ConnectionOptions;
  readonly #open = new Once(() => this.#prepare());
  /** The latest moment that a replica set has answered from. A secondary must not answer from before it. */
  #seen: { readonly operationTime: Timestamp; readonly clusterTime: ClusterTime } | undefined;
  /** The driver's "no connection" may name no reason; the last connection error does. */
  #lastError: unknown;
  #heard: MongoClient | undefined;
  readonly #onError = ({ failure }: ServerHeartbeatFailedEvent) => {
    this.#lastError = failure;
  };

  constructor(options: ConnectionOptions) {
    this.#options = options;
    // It is looked at with the first request; until then its failure is nobody's.
    Promise.resolve(options.client).catch(() => {});
  }

  /**
   * Sends a request. When the caller's time is up nothing more is sent: neither what waited for a connection, nor what the driver
   * would send again. What the server holds up, for a lock say, it gives up.
   *
   * @throws {BackendError}
   */
  async run<T>(caller: Caller, request: (sessions: Sessions, limits: Limits) => Promise<T>): Promise<T> {
    const limit = caller.timeLeft();
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new TimeUp()), limit).unref();
    });
    let session: ClientSession | undefined;
    try {
      const wait: Caller['wait'] = (ready) => caller.wait(Promise.race([ready, timeUp]));
      const { client, sessions } = await this.#open.get({ wait });
      session = this.#startSession(client, sessions);
      const maxTimeMS = Math.max(1, Math.floor(limit * EARLIER));
      const answer = await Promise.race([request(sessions, { session, maxTimeMS }), timeUp]);
      this.#lastError = undefined;
      return answer;
    } catch (error) {
      // What is still under way on the server with this session must not hold up who would get it next.
      if (session !== undefined && error instanceof TimeUp) session.serverSession.isDirty = true;
      const sent = session !== undefined && session.serverSession.lastUse !== NEVER;
      throw explain(error, sent, this.#lastError);
    } finally {
      clearTimeout(timer);
      if (session !== undefined) this.#endSession(session);
    }
  }

  async close(): Promise<void> {
    this.#heard?.off('serverHeartbeatFailed', this.#onError);
    if (this.#options.ownsClient) await (await this.#options.client).close();
  }

  #startSession(client: MongoClient, sessions: Sessions): ClientSession {
    const session = client.startSession();
    session.serverSession.lastUse = NEVER;
    if (this.#seen !== undefined && (sessions.readPreference?.mode ?? 'primary') !== 'primary') {
      session.advanceOperationTime(this.#seen.operationTime);
      session.advanceClusterTime(this.#seen.clusterTime);
    }
    return session;
  }

  /** The driver sends nothing with a session that has ended. */
  #endSession(session: ClientSession): void {
    const { operationTime, clusterTime } = session;
    if (operationTime !== undefined && clusterTime !== undefined) {
      if (!this.#seen?.operationTime.greaterThan(operationTime)) this.#seen = { operationTime, clusterTime };
    }
    session.endSession();
  }

  async #prepare(): Promise<Open> {
    const client = await this.#options.client;
    if (!isClient(client)) {
      throw BackendError.refused('the promise given as `client` holds no MongoClient');
    }
    this.#heard ??= client.on('serverHeartbeatFailed', this.#onError);
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
    await makeExpiryIndex(sessions, expiry);
    return { client, sessions };
  }
}
