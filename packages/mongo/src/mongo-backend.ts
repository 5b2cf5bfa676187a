import {
  type Backend,
  BackendError,
  type Caller,
  type StoredSession,
  type WriteCondition,
} from '@session-stores/core';
import type { Filter } from 'mongodb';
import { isDuplicate } from './failures.js';
import type { MongoConnection, SessionDocument } from './mongo-connection.js';
import { inFormOf, isSubdocument, textOf } from './subdocument.js';

/**
 * A document holds 16 MB, and so does an update. A session is changed by one that holds the old text and the new: with more than half
 * for each, what was stored could not be changed again.
 */
const MAX_BYTES = 8 * 1024 * 1024 - 4096;

/** A page of a listing, of up to 16 MB, and what a sweep deletes at once. */
const ONE_PAGE = { batchSize: 500, singleBatch: true };

/** Documents counted or deleted in one step. */
const STEP = 5000;

/**
 * By the server's own clock, not by when it gets round to deleting. Without `expires` a session does not end; with `expires: null` it
 * is none, as connect-mongo has it.
 */
const IS_LIVE = {
  $cond: [
    { $eq: [{ $type: '$expires' }, 'date'] },
    { $gt: ['$expires', '$$NOW'] },
    { $eq: [{ $type: '$expires' }, 'missing'] },
  ],
};

const LIVE: Filter<SessionDocument> = { $expr: IS_LIVE };
const EXPIRED: Filter<SessionDocument> = {
  expires: { $type: 'date' },
  $expr: { $lte: ['$expires', '$$NOW'] },
};

/** What a read asks for. Without a deadline `ttl` is null. */
const STORED = { session: 1, ttl: { $subtract: ['$expires', '$$NOW'] } };

interface Found extends SessionDocument {
  readonly ttl: number | null;
}

export class MongoBackend implements Backend {
  readonly name = 'mongo';
  readonly capabilities;
  readonly sweep?: (caller: Caller) => Promise<number>;
  readonly #connection: MongoConnection;

  constructor(connection: MongoConnection, expiry: 'native' | 'sweep') {
    this.#connection = connection;
    this.capabilities = { shared: true, nativeExpiry: expiry === 'native', grainMs: 1 };
    if (expiry === 'sweep') this.sweep = (caller) => this.#sweep(caller);
  }

  async read(id: string, caller: Caller): Promise<StoredSession | undefined> {
    const found = await this.#connection.run(caller, (sessions, limits) =>
      sessions.findOne<Found>({ _id: id, ...LIVE }, { ...limits, projection: STORED }),
    );
    return found === null ? undefined : storedSession(found);
  }

  async write(id: string, data: string, ttl: number, when: WriteCondition, caller: Caller): Promise<boolean> {
    if (Buffer.byteLength(data) > MAX_BYTES) {
      throw BackendError.tooLarge(`the ${MAX_BYTES} bytes that can be stored and changed`);
    }
    const there = when === 'always' ? { _id: id } : { _id: id, ...LIVE };
    const text = typeof when === 'object' ? when.equals : { $not: { $type: 'object' } };
    for (;;) {
      if (await this.#update({ ...there, session: text }, data, ttl, when === 'always', caller)) return true;

      // There is no such session; or it is kept as a subdocument, which is compared by its text, and replaced as a whole.
      const found = await this.#connection.run(caller, (sessions, limits) =>
        sessions.findOne(there, { ...limits, projection: { session: 1 } }),
      );
      if (isSubdocument(found?.session)) {
        const stored = found.session;
        if (typeof when === 'object' && textOf(stored) !== when.equals) return false;
        const session = typeof when === 'object' ? stored : { $type: 'object' };
        if (await this.#update({ ...there, session }, inFormOf(stored, data), ttl, false, caller))
          return true;
      }
      if (typeof when === 'object' || (when === 'exists' && found === null)) return false;
    }
  }

  async touch(id: string, ttl: number, how: 'set' | 'extend', caller: Caller): Promise<boolean> {
    const until = { $add: ['$$NOW', ttl] };
    // A session without a deadline has the latest of all.
    const later = {
      $cond: [{ $eq: [{ $type: '$expires' }, 'missing'] }, '$$REMOVE', { $max: ['$expires', until] }],
    };
    const { matchedCount } = await this.#connection.run(caller, (sessions, limits) =>
      sessions.updateOne(
        { _id: id, ...LIVE },
        [{ $set: { expires: how === 'extend' ? later : until } }],
        limits,
      ),
    );
    return matchedCount === 1;
  }

  async remove(id: string, caller: Caller): Promise<boolean> {
    const removed = await this.#connection.run(caller, (sessions, limits) =>
      sessions.findOneAndDelete({ _id: id }, { ...limits, projection: { _id: 0, live: IS_LIVE } }),
    );
    return removed !== null && 'live' in removed && removed.live === true;
  }

  async *entries(caller: Caller): AsyncGenerator<StoredSession & { id: string }> {
    // By id: the order of the deadlines, which would suit the index too, changes with every touch.
    for (let after = ''; ; ) {
      const page = await this.#connection.run(caller, (sessions, limits) =>
        sessions
          .find<Found>({ _id: { $gt: after }, ...LIVE }, { ...limits, ...ONE_PAGE, projection: STORED })
          .sort({ _id: 1 })
          .toArray(),
      );
      for (const found of page) yield { id: found._id, ...storedSession(found) };
      const last = page.at(-1);
      if (last === undefined) return;
      after = last._id;
    }
  }

  async count(caller: Caller): Promise<number> {
    let count = 0;
    for await (const ids of this.#steps(caller)) {
      count += await this.#connection.run(caller, (sessions, limits) =>
        sessions.countDocuments({ _id: ids, ...LIVE }, limits),
      );
    }
    return count;
  }

  async clear(caller: Caller): Promise<void> {
    for await (const ids of this.#steps(caller)) {
      await this.#connection.run(caller, (sessions, limits) => sessions.deleteMany({ _id: ids }, limits));
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #sweep(caller: Caller): Promise<number> {
    for (let swept = 0; ; caller.progress()) {
      const expired = await this.#connection.run(caller, (sessions, limits) =>
        sessions.find(EXPIRED, { ...limits, ...ONE_PAGE, projection: { _id: 1 } }).toArray(),
      );
      if (expired.length === 0) return swept;
      const ids = expired.map(({ _id }) => _id);
      const { deletedCount } = await this.#connection.run(caller, (sessions, limits) =>
        // What has been stored anew meanwhile stays.
        sessions.deleteMany({ _id: { $in: ids }, ...EXPIRED }, limits),
      );
      swept += deletedCount;
    }
  }

  /** All ids in ranges of some thousand documents each, which the server goes through quickly. */
  async *#steps(caller: Caller): AsyncGenerator<{ $gt: string; $lte?: string }> {
    for (let after = ''; ; caller.progress()) {
      const range = { $gt: after };
      const last = await this.#connection.run(caller, (sessions, limits) =>
        sessions.findOne(
          { _id: range },
          { ...limits, projection: { _id: 1 }, sort: { _id: 1 }, skip: STEP - 1 },
        ),
      );
      if (last === null) return yield range;
      yield { ...range, $lte: last._id };
      after = last._id;
    }
  }

  /** Stores text or a subdocument where the filter holds; says whether it did. */
  async #update(
    where: Filter<SessionDocument>,
    session: unknown,
    ttl: number,
    upsert: boolean,
    caller: Caller,
  ): Promise<boolean> {
    const change = { session: { $literal: session }, expires: { $add: ['$$NOW', ttl] } };
    try {
      const { matchedCount, upsertedCount } = await this.#connection.run(caller, (sessions, limits) =>
        sessions.updateOne(where, [{ $set: change }], { ...limits, upsert }),
      );
      return matchedCount + upsertedCount === 1;
    } catch (error) {
      if (upsert && isDuplicate(error)) return false;
      throw error;
    }
  }
}

function storedSession({ session, ttl }: Found): StoredSession {
  return { data: textOf(session), ttl: ttl ?? Number.POSITIVE_INFINITY };
}
