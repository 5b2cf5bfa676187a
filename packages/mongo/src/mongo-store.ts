import {
  checkOptions,
  DEFAULT_TIMEOUT_MS,
  invalidOption,
  rule,
  SessionStore,
  type StoreOptions,
  type SweepOptions,
} from '@session-stores/core';
import type { MongoClient } from 'mongodb';
import { MongoBackend } from './mongo-backend.js';
import { isClient, MongoConnection, openClient } from './mongo-connection.js';

export interface MongoStoreOptions extends StoreOptions, SweepOptions {
  /** A MongoClient, connected or not yet, or a promise of one. It stays open when the store is closed. */
  client?: MongoClient | Promise<MongoClient> | undefined;
  /** `mongodb://` or `mongodb+srv://` URL, instead of `client`: the store opens a client of its own and closes it. */
  url?: string | undefined;
  /** The database. Default: the one that the URL or the client names, else `test`. */
  dbName?: string | undefined;
  /** The collection, for sessions alone. Default `sessions`, as connect-mongo has it. */
  collectionName?: string | undefined;
  /**
   * Who deletes expired sessions: `'native'` (default) the server, by a TTL index that is made when there is none; `'sweep'` this
   * store, every `sweepInterval`. Either way a session has ended at its deadline, whenever it is deleted.
   */
  expiry?: 'native' | 'sweep' | undefined;
}

const promise = rule.withMethods('a promise', 'then');

const about = { name: 'MongoStore', backend: 'mongo' };

/**
 * Sessions in MongoDB, one document each, in the layout of connect-mongo: `_id` is the session's id, `session` its JSON as text, and
 * `expires` its deadline. Documents that hold the session as a subdocument keep that form.
 */
export class MongoStore extends SessionStore {
  /** @throws {StoreError} `INVALID_OPTION` */
  constructor(options: MongoStoreOptions) {
    checkOptions(about, options, {
      client: {
        wants: 'a MongoClient or a promise of one',
        accepts: (value) => isClient(value) || promise.accepts(value),
      },
      url: {
        wants: 'a mongodb:// or mongodb+srv:// URL',
        accepts: (value) => typeof value === 'string' && /^mongodb(\+srv)?:\/\/./.test(value),
        secret: true,
      },
      dbName: {
        wants: 'a database name of up to 63 bytes, without / \\ . " $ * < > : | ? and white space',
        accepts: (value) =>
          typeof value === 'string' && /^[^/\\."$*<>:|?\s\0]+$/.test(value) && Buffer.byteLength(value) <= 63,
      },
      collectionName: {
        wants: 'a collection name, without $, and neither beginning nor ending with a dot',
        accepts: (value) =>
          typeof value === 'string' && /^(?!\.)[^$\0]+(?<!\.)$/.test(value) && !/\.\./.test(value),
      },
      expiry: rule.oneOf('native', 'sweep'),
      sweepInterval: rule.timerSeconds,
    });
    const {
      client,
      url,
      dbName,
      collectionName = 'sessions',
      expiry = 'native',
      timeoutMs = DEFAULT_TIMEOUT_MS,
    } = options;
    if ((client === undefined) === (url === undefined)) {
      throw invalidOption(about, `give either \`client\` or \`url\`, got ${client ? 'both' : 'neither'}`);
    }
    if (expiry === 'native' && options.sweepInterval !== undefined) {
      throw invalidOption(
        about,
        "option `sweepInterval` goes with `expiry: 'sweep'`: otherwise the server deletes",
      );
    }
    const connection = new MongoConnection({
      client: client ?? open(url as string, timeoutMs),
      ownsClient: client === undefined,
      dbName,
      collectionName,
      expiry,
    });
    super(new MongoBackend(connection, expiry), options);
  }
}

function open(url: string, timeoutMs: number): MongoClient {
  try {
    return openClient(url, timeoutMs);
  } catch (error) {
    // The driver's messages name options and hosts, but may quote the URL too.
    const reason = error instanceof Error && !error.message.includes(url) ? `: ${error.message}` : '';
    throw invalidOption(about, `option \`url\` is refused by the driver${reason}`);
  }
}
