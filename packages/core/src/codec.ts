import type { SessionData } from 'express-session';
import type { StoredSession } from './backend.js';
import { Failure, scrub } from './errors.js';
import type { Serializer } from './options.js';
import { isObject, type Snapshot, toJson } from './snapshot.js';

/** The last moment a `Date` can tell. */
export const END_OF_TIME = 8.64e15;

/** Between sessions and the text that is stored. */
export class Codec {
  readonly #serializer: Serializer;

  constructor(serializer: Serializer) {
    this.#serializer = serializer;
  }

  /** @throws {Failure} `NOT_SERIALIZABLE` when the serializer refuses. */
  encode(snapshot: Snapshot): string {
    const json = toJson(snapshot);
    if (this.#serializer === JSON) return json;
    let text: unknown;
    try {
      text = this.#serializer.stringify(JSON.parse(json));
    } catch (error) {
      throw new Failure('NOT_SERIALIZABLE', 'the serializer threw an error', scrub(error, undefined, json));
    }
    if (typeof text === 'string') return text;
    const problem = `the serializer's stringify must return a string, got a value of type ${typeof text}`;
    throw new Failure('NOT_SERIALIZABLE', problem);
  }

  /** @throws {Failure} `CORRUPT` when the text is no session. */
  async decode({ data, ttl }: StoredSession): Promise<SessionData> {
    let session: unknown;
    try {
      session = await this.#serializer.parse(data);
    } catch (error) {
      throw new Failure('CORRUPT', 'what is stored cannot be parsed', scrub(error, undefined, data));
    }
    if (!isSessionData(session)) {
      throw new Failure('CORRUPT', 'what is stored is no object with a `cookie`');
    }
    // The stored one is as old as the last write; touches have moved the deadline since.
    const { cookie } = session;
    // One that never ends on the server (a peer may store such) has only its settings to tell.
    const left = ttl === Number.POSITIVE_INFINITY ? (cookie.originalMaxAge ?? ttl) : ttl;
    if (cookie.expires) cookie.expires = new Date(Math.min(Date.now() + left, END_OF_TIME));
    return session;
  }
}

function isSessionData(value: unknown): value is SessionData {
  return isObject(value) && isObject(value['cookie']);
}
