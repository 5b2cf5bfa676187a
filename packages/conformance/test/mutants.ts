import type { SessionData } from 'express-session';
import type { Capabilities } from '../src/harness.js';
import { isPlain, Merge, type Saved } from './reference-merge.js';
import { ReferenceStore, type Row, Server } from './reference-store.js';
import type { rightStores, stores } from './shared-stores.js';

type Args<
  M extends
    | 'get'
    | 'set'
    | 'touch'
    | 'destroy'
    | 'createSession'
    | 'regenerate'
    | 'save'
    | 'extend'
    | 'isLate'
    | 'write',
> = Parameters<ReferenceStore[M]>;

/** Copies deeply, as many do: into whatever a key names, prototypes included. */
function copyInto(into: Record<string, unknown>, from: object): void {
  for (const [key, value] of Object.entries(from)) {
    const inner = into[key];
    if (value && inner && typeof value === 'object') copyInto(Object(inner), value);
    else into[key] = value;
  }
}

/** A callback that is called once more when the first call has been answered. */
function twice<A extends readonly unknown[]>(callback: (...args: A) => void) {
  return (...args: A) => {
    setImmediate(callback, ...args);
    callback(...args);
  };
}

/** A store that merges otherwise. */
const merging = (Merger: typeof Merge) =>
  class extends ReferenceStore {
    override readonly merger = new Merger();
  };

/** One whose ids are changed before they are compared. */
const keyed = (change: (sid: string) => string) =>
  class extends ReferenceStore {
    override key(sid: string) {
      return super.key(change(sid));
    }
  };

/** One whose text is changed before it is stored. */
const writing = (change: (text: string) => string) =>
  class extends ReferenceStore {
    override serialize(data: SessionData) {
      return change(super.serialize(data));
    }
  };

/** One that stores other values than it is given. */
const replacing = (replace: (key: string, value: unknown) => unknown) =>
  class extends ReferenceStore {
    override serialize(data: SessionData) {
      return JSON.stringify(data, replace);
    }
  };

/** One that lacks methods. */
const without = (...methods: readonly string[]) =>
  class extends ReferenceStore {
    constructor(...args: ConstructorParameters<typeof ReferenceStore>) {
      super(...args);
      for (const method of methods) Object.assign(this, { [method]: undefined });
    }
  };

/** One that says this of itself. */
const saying = (capabilities: Capabilities) =>
  class extends ReferenceStore {
    override readonly capabilities = capabilities;
  };

/** The reference store, broken in one place each, and exactly the requirements that catch it. */
export const mutants: Record<string, { store: typeof ReferenceStore; caught: string; abreast?: number }> = {
  'set calls back twice': {
    store: class extends ReferenceStore {
      override set(...[sid, data, callback]: Args<'set'>) {
        return super.set(sid, data, callback && twice(callback));
      }
    },
    caught: 'CALLBACK-002 CALLBACK-008 CALLBACK-013 FAULT-002',
  },
  'touch revives what has ended': {
    store: class extends ReferenceStore {
      override touch(...[sid, data, callback]: Args<'touch'>) {
        const row = this.server.get(this.key(sid));
        if (row && !this.isLive(row)) row.end = Date.now() + 1_000;
        return super.touch(sid, data, callback);
      }
    },
    caught: 'TTL-018',
  },
  'touch creates': {
    store: class extends ReferenceStore {
      override touch(...[sid, data, callback]: Args<'touch'>) {
        return this.answer(callback, () => {
          this.write(sid, JSON.stringify({ ...this.read(sid), cookie: data.cookie }), this.lifetime(data));
        });
      }
    },
    caught: 'TTL-016 TTL-018 RACE-002 RACE-007 RACE-015 RACE-019 RACE-020 RACE-022 RACE-035 RACE-041',
  },
  'touch does nothing': {
    store: class extends ReferenceStore {
      override touch(...[, , callback]: Args<'touch'>) {
        return this.answer(callback, () => {});
      }
    },
    caught: 'TTL-013 TTL-021 TTL-024 HTTP-009 HTTP-012 RACE-038 RACE-041',
  },
  'touch moves the deadline and forgets the cookie': {
    store: class extends ReferenceStore {
      override touch(...[sid, data, callback]: Args<'touch'>) {
        return this.answer(callback, () => {
          const row = this.server.get(this.key(sid));
          if (row && this.isLive(row)) row.end = Date.now() + this.lifetime(data);
        });
      }
    },
    caught: 'HTTP-012 RACE-035 RACE-038 RACE-041',
  },
  'touch stores the data': {
    store: class extends ReferenceStore {
      override touch(...[sid, data, callback]: Args<'touch'>) {
        return this.answer(callback, () => {
          if (this.read(sid)) this.write(sid, this.serialize(data), this.lifetime(data));
        });
      }
    },
    caught: 'TTL-015 RACE-035 RACE-038 RACE-041',
  },
  'touch of an unknown id is an error': {
    store: class extends ReferenceStore {
      override touch(...[sid, data, callback]: Args<'touch'>) {
        if (this.read(sid)) return super.touch(sid, data, callback);
        return this.answer(callback, () => {
          throw new Error('no such session');
        });
      }
    },
    caught: 'TTL-017 HTTP-013 RACE-007 RACE-015 RACE-019 RACE-020 RACE-022',
  },
  'sessions never end': {
    store: class extends ReferenceStore {
      override isLive() {
        return true;
      }
    },
    caught:
      'TTL-002 TTL-003 TTL-004 TTL-005 TTL-006 TTL-011 TTL-014 TTL-018 TTL-019 TTL-020 RACE-034 RACE-041',
  },
  'empty sessions end early': {
    store: class extends ReferenceStore {
      override isLive(row: Row) {
        const { cookie, ...data } = JSON.parse(row.text);
        const isEmpty = Object.keys(data).length === 0;
        return row.end - (isEmpty ? 0.3 * cookie.originalMaxAge : 0) > Date.now();
      }
    },
    caught: 'TTL-001',
  },
  'milliseconds are taken for seconds': {
    store: class extends ReferenceStore {
      override lifetime(data: SessionData) {
        return super.lifetime(data) * 1_000;
      }
    },
    caught:
      'TTL-002 TTL-003 TTL-004 TTL-009 TTL-011 TTL-014 TTL-018 TTL-019 TTL-020 TTL-021 TTL-023 TTL-024 TTL-027 HTTP-012 RACE-034 RACE-041 CAPABILITY-003',
  },
  'the deadline is a 32-bit number of seconds': {
    store: class extends ReferenceStore {
      override write(sid: string, text: string, lifetime: number) {
        super.write(
          sid,
          text,
          Math.min(lifetime, 2 ** 32 * 1_000 - Date.now()) && lifetime > 1e14 ? -1 : lifetime,
        );
      }
    },
    caught: 'TTL-007 TTL-027',
  },
  'all and length count what has ended': {
    store: class extends ReferenceStore {
      override entries() {
        return this.keys().map((key) => ({
          id: key.slice(this.prefix.length + 1),
          ...JSON.parse(this.server.get(key)?.text ?? ''),
        }));
      }
    },
    caught: 'TTL-019 TTL-020',
  },
  'what was stored and what was read are live references': {
    store: class extends ReferenceStore {
      readonly live = new Map<string, SessionData>();
      override set(...[sid, data, callback]: Args<'set'>) {
        this.live.set(sid, data);
        return super.set(sid, data, callback);
      }
      override read(sid: string) {
        return super.read(sid) && (this.live.get(sid) ?? null);
      }
    },
    caught:
      'TTL-021 DATA-011 DATA-013 DATA-014 DATA-015 DATA-025 ISOLATION-001 ISOLATION-002 ISOLATION-003 ISOLATION-009 ISOLATION-010 RACE-013 RACE-022 RACE-024 RACE-025 RACE-026 RACE-027 RACE-028 RACE-032 RACE-033 RACE-034 RACE-036 RACE-037 RACE-038 RACE-039 RACE-041 RACE-043 CAPABILITY-001',
  },
  'clear ignores the prefix': {
    store: class extends ReferenceStore {
      override clear(...[callback]: Parameters<ReferenceStore['clear']>) {
        return this.answer(callback, () => this.server.clear());
      }
    },
    caught: 'ISOLATION-008',
  },
  'all ignores the prefix': {
    store: class extends ReferenceStore {
      override keys() {
        return [...this.server.keys()];
      }
      override entries() {
        return this.keys().flatMap((key) => {
          const id = key.slice(key.indexOf(':') + 1);
          const found = new ReferenceStore(this.server, key.slice(0, key.indexOf(':'))).read(id);
          return found ? { id, ...found } : [];
        });
      }
    },
    abreast: 1,
    caught: 'ISOLATION-007 ISOLATION-008',
  },
  'ids ignore case': {
    store: keyed((sid) => sid.toLowerCase()),
    caught: 'IDS-002 IDS-014 IDS-018',
  },
  'ids are cut off after 64 characters': {
    store: keyed((sid) => sid.slice(0, 64)),
    caught: 'IDS-010 IDS-011 IDS-020',
  },
  'ids lose spaces at the end': {
    store: keyed((sid) => sid.trimEnd()),
    caught: 'IDS-004 IDS-017',
  },
  'ids are encoded as UTF-8': {
    store: keyed((sid) => sid.toWellFormed()),
    caught: 'IDS-012',
  },
  'ids are compared in normal form': {
    store: keyed((sid) => sid.normalize()),
    caught: 'IDS-008 IDS-014',
  },
  'destroy takes the id for a pattern': {
    store: class extends ReferenceStore {
      override destroy(...[sid, callback]: Args<'destroy'>) {
        return this.answer(callback, () => {
          for (const key of this.keys()) {
            if (key === this.key(sid) || sid === '*') this.server.delete(key);
          }
        });
      }
    },
    caught: 'IDS-005',
  },
  'errors are swallowed': {
    store: class extends ReferenceStore {
      override set(...[sid, data, callback]: Args<'set'>) {
        return super.set(sid, data, callback && (() => callback(null)));
      }
    },
    caught: 'DATA-013 DATA-014 DATA-015 DATA-025 CALLBACK-008 CALLBACK-009 FAULT-004',
  },
  'a rejected promise is left alone': {
    store: class extends ReferenceStore {
      override answer<T>(...[callback, work]: Parameters<typeof ReferenceStore.prototype.answer<T>>) {
        return super.answer(callback, work)?.then((value) => value);
      }
    },
    caught: 'CALLBACK-012 FAULT-006',
  },
  'a callback is called inside the try': {
    store: class extends ReferenceStore {
      override get(...[sid, callback]: Args<'get'>) {
        if (!callback) return super.get(sid);
        try {
          callback(null, this.read(sid));
        } catch (error) {
          callback(error);
        }
        return undefined;
      }
    },
    caught: 'CALLBACK-013',
  },
  'what a callback throws is swallowed': {
    store: class extends ReferenceStore {
      override get(...[sid, callback]: Args<'get'>) {
        if (!callback) return super.get(sid);
        try {
          callback(null, this.read(sid));
        } catch {}
        return undefined;
      }
    },
    caught: 'CALLBACK-014',
  },
  'a late save resurrects': {
    store: class extends ReferenceStore {
      override isLate() {
        return false;
      }
    },
    caught:
      'RACE-001 RACE-004 RACE-005 RACE-006 RACE-008 RACE-009 RACE-011 RACE-015 RACE-016 RACE-017 RACE-022',
  },
  'a reloaded session counts as new': {
    store: class extends ReferenceStore {
      override createSession(...args: Parameters<ReferenceStore['createSession']>) {
        const seen = 'session' in args[0];
        const created = super.createSession(...args);
        if (seen) this.known.delete(created);
        return created;
      }
    },
    caught: 'RACE-004 RACE-022 RACE-036 RACE-041',
  },
  'a new session counts as loaded only when it is loaded': {
    store: class extends ReferenceStore {
      override set(...[sid, data, callback]: Args<'set'>) {
        const known = this.known.has(data);
        const returned = super.set(sid, data, callback);
        if (!known) this.known.delete(data);
        return returned;
      }
    },
    caught: 'RACE-011 RACE-022',
  },
  'what a request has saved, it may save whatever is there': {
    store: class extends ReferenceStore {
      override save(...args: Args<'save'>) {
        super.save(...args);
        this.known.delete(args[1]);
      }
    },
    caught: 'RACE-011 RACE-016 RACE-022 RACE-037 RACE-039 RACE-041',
  },
  'regenerate brings back what was not there to be destroyed': {
    store: class extends ReferenceStore {
      override regenerate(...[req, callback]: Args<'regenerate'>) {
        const { sessionID, session } = req;
        const isThere = this.read(sessionID) !== null;
        super.regenerate(req, (error) => {
          if (!isThere) this.write(sessionID, this.serialize(session), this.lifetime(session));
          callback(error);
        });
      }
    },
    caught: 'RACE-018 RACE-022',
  },
  'who outlasts the own cookie may store it anew': {
    store: class extends ReferenceStore {
      override isLate(...[sid, data]: Args<'isLate'>) {
        return super.lifetime(data) > 0 && super.isLate(sid, data);
      }
      override lifetime(data: SessionData | Saved) {
        const left = super.lifetime(data);
        return left <= 0 && Object(data.cookie).originalMaxAge > 0
          ? Number(data.cookie.originalMaxAge)
          : left;
      }
    },
    caught: 'RACE-020 RACE-022',
  },
  'the last writer wins': {
    store: merging(
      class extends Merge {
        override sessions(...[, mine]: Parameters<Merge['sessions']>) {
          return mine;
        }
      },
    ),
    caught:
      'HTTP-014 RACE-024 RACE-025 RACE-026 RACE-027 RACE-028 RACE-032 RACE-033 RACE-034 RACE-036 RACE-037 RACE-038 RACE-039 RACE-040 RACE-041 RACE-043',
  },
  'only the keys at the top are merged': {
    store: merging(
      class extends Merge {
        override value(...[base, mine, theirs]: Parameters<Merge['value']>) {
          const merged = super.value(base, mine, theirs);
          return isPlain(merged) && merged !== theirs ? mine : merged;
        }
      },
    ),
    caught: 'RACE-025 RACE-026 RACE-028 RACE-032 RACE-040 RACE-041 RACE-043',
  },
  'a merge only adds': {
    store: merging(
      class extends Merge {
        override plain(...[base, mine, theirs]: Parameters<Merge['plain']>) {
          return { ...theirs, ...super.plain(base, mine, theirs) };
        }
      },
    ),
    caught: 'RACE-026 RACE-030 RACE-036 RACE-041',
  },
  'of two arrays the later one is taken': {
    store: merging(
      class extends Merge {
        override list(...[, mine]: Parameters<Merge['list']>) {
          return mine;
        }
      },
    ),
    caught: 'RACE-027 RACE-028 RACE-040 RACE-041 RACE-043',
  },
  'what was taken out of an array is back when another one adds': {
    store: merging(
      class extends Merge {
        override list(...[base, mine, theirs]: Parameters<Merge['list']>) {
          return super.list([], mine.slice(base.length), theirs);
        }
      },
    ),
    caught: 'RACE-027 RACE-028 RACE-029 RACE-041',
  },
  'arrays are merged as sets': {
    store: merging(
      class extends Merge {
        override list(...[, mine, theirs]: Parameters<Merge['list']>) {
          return [...new Set([...theirs, ...mine].map((item) => JSON.stringify(item)))].map((text) =>
            JSON.parse(text),
          );
        }
      },
    ),
    caught: 'RACE-027 RACE-028 RACE-029 RACE-041',
  },
  'of two values the first one stays': {
    store: merging(
      class extends Merge {
        override conflict(...[, theirs]: Parameters<Merge['conflict']>) {
          return theirs;
        }
      },
    ),
    caught: 'RACE-030 RACE-041',
  },
  'a merge goes into prototypes': {
    store: merging(
      class extends Merge {
        override plain(...[base, mine, theirs]: Parameters<Merge['plain']>) {
          copyInto({}, mine);
          return super.plain(base, mine, theirs);
        }
      },
    ),
    caught: 'RACE-031 RACE-041',
  },
  'a merge drops a key that it is afraid of': {
    store: merging(
      class extends Merge {
        override plain(...[base, mine, theirs]: Parameters<Merge['plain']>) {
          const entries = Object.entries(super.plain(base, mine, theirs));
          return Object.fromEntries(entries.filter(([key]) => key !== '__proto__'));
        }
      },
    ),
    caught: 'RACE-032 RACE-041',
  },
  'a merge copies null as an empty object': {
    store: merging(
      class extends Merge {
        override plain(...args: Parameters<Merge['plain']>) {
          return JSON.parse(JSON.stringify(super.plain(...args)), (_, value) => value ?? {});
        }
      },
    ),
    caught: 'RACE-033 RACE-041',
  },
  "a merge takes the later writer's cookie": {
    store: merging(
      class extends Merge {
        override sessions(...[base, mine, theirs]: Parameters<Merge['sessions']>) {
          return { ...super.sessions(base, mine, theirs), cookie: mine.cookie };
        }
      },
    ),
    caught: 'HTTP-014 RACE-034 RACE-038 RACE-041',
  },
  'a request that only reads may shorten': {
    store: class extends ReferenceStore {
      override extend(...[sid, { cookie }]: Args<'extend'>) {
        const row = this.server.get(this.key(sid));
        if (row && cookie.originalMaxAge) row.end = Date.now() + cookie.originalMaxAge;
      }
    },
    caught: 'RACE-035 RACE-041',
  },
  'a reload is not heard of': {
    store: class extends ReferenceStore {
      override createSession(...args: Args<'createSession'>) {
        const { session } = Object(args[0]);
        const before = session && this.known.get(session);
        const created = super.createSession(...args);
        if (before) this.known.set(created, before);
        return created;
      }
    },
    caught: 'RACE-036 RACE-041',
  },
  'a request takes what its save was merged with for its own': {
    store: class extends ReferenceStore {
      override save(...[sid, data, mine]: Args<'save'>) {
        super.save(sid, data, mine);
        const merged = this.read(sid);
        if (merged && 'req' in data) this.remember(sid, data, this.saved(merged));
      }
    },
    caught: 'RACE-037 RACE-039 RACE-041',
  },
  'between the look and the write there is time': {
    store: class extends ReferenceStore {
      override set(...[sid, data, callback]: Args<'set'>) {
        return this.answer(callback, async () => {
          const [mine, theirs] = [JSON.parse(this.serialize(data)), this.read(sid)];
          await new Promise(setImmediate);
          if (!this.isLate(sid, data)) this.save(sid, data, mine, theirs);
        });
      }
    },
    caught: 'RACE-012 RACE-040 RACE-043',
  },
  'a connection merges with what it has seen last': {
    store: class extends ReferenceStore {
      readonly seen = new Map<string, SessionData | null>();
      override get(...[sid, callback]: Args<'get'>) {
        this.seen.set(sid, this.read(sid));
        return super.get(sid, callback);
      }
      override save(...[sid, data, mine]: Args<'save'>) {
        super.save(sid, data, mine, this.seen.get(sid) ?? this.read(sid));
        this.seen.set(sid, this.read(sid));
      }
    },
    caught: 'RACE-041 RACE-043',
  },
  'a connection knows of its own log-outs only': {
    store: class extends ReferenceStore {
      readonly ended = new Set<string>();
      override destroy(...[sid, callback]: Args<'destroy'>) {
        this.ended.add(sid);
        return super.destroy(sid, callback);
      }
      override isLate(...[sid, data]: Args<'isLate'>) {
        return this.ended.has(sid) && super.isLate(sid, data);
      }
    },
    caught: 'RACE-005 RACE-022',
  },
  'characters that nobody sees are left out of ids': {
    store: keyed((sid) => sid.replace(/\p{Default_Ignorable_Code_Point}/gu, '')),
    caught: 'IDS-008 IDS-015',
  },
  'ids are kept in three bytes for a character': {
    store: keyed((sid) => sid.replace(/[^\0-\uffff]/gu, '?')),
    caught: 'IDS-008 IDS-016 IDS-020',
  },
  'ids are compared as numbers where they are such': {
    store: keyed((sid) => (sid.trim() === '' || Number.isNaN(Number(sid)) ? sid : String(Number(sid)))),
    caught: 'IDS-003 IDS-018',
  },
  'ids end where a line of a protocol ends': {
    store: keyed((sid) => sid.replace(/\r\n.*/s, '')),
    caught: 'IDS-019',
  },
  'ids of more than 255 bytes are refused': {
    store: class extends ReferenceStore {
      override write(...[sid, text, lifetime]: Args<'write'>) {
        if (Buffer.byteLength(sid) > 255) throw new RangeError('the id is too long');
        super.write(sid, text, lifetime);
      }
    },
    caught: 'IDS-020',
  },
  'what is nested deeply is dropped': {
    store: class extends ReferenceStore {
      override serialize(data: SessionData) {
        const cut = (value: unknown, depth: number): unknown => {
          if (typeof value !== 'object' || value === null) return value;
          if (depth === 0) return null;
          if (Array.isArray(value)) return value.map((inner) => cut(inner, depth - 1));
          return Object.fromEntries(
            Object.entries(value).map(([key, inner]) => [key, cut(inner, depth - 1)]),
          );
        };
        return JSON.stringify(cut(JSON.parse(super.serialize(data)), 64));
      }
    },
    caught: 'DATA-018 DATA-019',
  },
  'operators in the data are carried out': {
    store: class extends ReferenceStore {
      override read(sid: string) {
        const text = JSON.stringify(super.read(sid));
        return JSON.parse(text, (_, value) => (value?.$literal === undefined ? value : value.$literal));
      }
    },
    caught: 'DATA-021',
  },
  'lone surrogates become replacement characters': {
    store: writing((text) => text.replace(/\\ud[89a-f]../g, '\ufffd')),
    caught: 'DATA-006 DATA-023 RACE-033 RACE-041',
  },
  'text is escaped once too often': {
    store: replacing((_, value) => (typeof value === 'string' ? value.replaceAll("'", "\\'") : value)),
    caught: 'DATA-024',
  },
  'what is too large is cut off': {
    store: class extends ReferenceStore {
      override readonly maxBytes = Number.POSITIVE_INFINITY;
      override write(...[sid, text, lifetime]: Args<'write'>) {
        super.write(sid, text.slice(0, 700_000), lifetime);
      }
    },
    caught: 'DATA-025',
  },
  'a session takes twice the room when it is changed': {
    store: class extends ReferenceStore {
      override save(...[sid, data, mine, theirs]: Args<'save'>) {
        if (this.known.has(data) && 2 * this.serialize(data).length > this.maxBytes)
          throw new RangeError('too large');
        super.save(sid, data, mine, theirs);
      }
    },
    caught: 'DATA-026',
  },
  'a timer ends each session': {
    store: class extends ReferenceStore {
      override write(...[sid, text, lifetime]: Args<'write'>) {
        super.write(sid, text, lifetime);
        const row = this.server.get(this.key(sid));
        const end = () => this.server.get(this.key(sid)) === row && this.server.delete(this.key(sid));
        // A timer fires at once when its time is too long for it.
        if (lifetime < 2 ** 31) setTimeout(end, lifetime).unref();
        else setImmediate(end);
      }
    },
    caught: 'TTL-007 TTL-023 TTL-025 TTL-026 TTL-027 HTTP-009 CAPABILITY-002',
  },
  'the deadline is an unsigned 32-bit number of seconds': {
    store: class extends ReferenceStore {
      override write(...[sid, text, lifetime]: Args<'write'>) {
        super.write(sid, text, Date.now() + lifetime < 2 ** 32 * 1_000 ? lifetime : -1);
      }
    },
    caught: 'TTL-007 TTL-026 TTL-027',
  },
  'a server that deletes nothing is said to delete what has expired': {
    store: saying({ shared: true, nativeExpiry: true, grainMs: 1 }),
    caught: 'CAPABILITY-002',
  },
  'a sweep does nothing': {
    store: class extends ReferenceStore {
      sweep(callback: (error?: unknown) => void) {
        setImmediate(callback, null);
      }
    },
    caught: 'CAPABILITY-002',
  },
  'some deadlines are rounded to seconds, which is not said': {
    store: class extends ReferenceStore {
      override write(...[sid, text, lifetime]: Args<'write'>) {
        const now = Date.now();
        const isRounded = lifetime > 10_100 && lifetime < 20_000;
        super.write(sid, text, isRounded ? Math.floor((now + lifetime) / 1_000) * 1_000 - now : lifetime);
      }
    },
    caught: 'CAPABILITY-003',
  },
  'exact deadlines are said to be coarse': {
    store: saying({ shared: true, nativeExpiry: false, grainMs: 250 }),
    caught: 'CAPABILITY-003',
  },
  'sessions that are not shared are said to be': {
    store: class extends ReferenceStore {
      override readonly server = new Server();
    },
    caught:
      'TTL-009 TTL-023 TTL-024 ISOLATION-009 ISOLATION-010 RACE-005 RACE-022 RACE-041 RACE-043 CAPABILITY-001 CAPABILITY-002 CAPABILITY-003',
  },
  'set takes its time to look at the session': {
    store: class extends ReferenceStore {
      override set(...[sid, data, callback]: Args<'set'>) {
        return this.answer(callback, () => Promise.resolve().then(() => super.set(sid, data)));
      }
    },
    caught: 'RACE-012 RACE-013',
  },
  'set merges': {
    store: class extends ReferenceStore {
      override write(sid: string, text: string, lifetime: number) {
        super.write(sid, JSON.stringify({ ...this.read(sid), ...JSON.parse(text) }), lifetime);
      }
    },
    caught: 'CONTRACT-007 RACE-026 RACE-030 RACE-036 RACE-041',
  },
  'a key of its own is added': {
    store: class extends ReferenceStore {
      override serialize(data: SessionData) {
        return super.serialize(Object.assign(data, { lastModified: 1 }));
      }
    },
    caught: 'DATA-017 ISOLATION-005',
  },
  'text is cut off at the size of a column': {
    store: class extends ReferenceStore {
      override write(sid: string, text: string, lifetime: number) {
        super.write(sid, text.slice(0, 65_535), lifetime);
      }
    },
    caught: 'DATA-012 DATA-020 DATA-025 DATA-026',
  },
  'only the own settings of the cookie are kept': {
    store: class extends ReferenceStore {
      override serialize(data: SessionData) {
        const { expires, originalMaxAge, httpOnly, path } = data.cookie;
        return JSON.stringify({ ...data, cookie: { expires, originalMaxAge, httpOnly, path } });
      }
    },
    caught: 'DATA-016',
  },
  'destroy of an unknown id is an error': {
    store: class extends ReferenceStore {
      override destroy(...[sid, callback]: Args<'destroy'>) {
        if (this.read(sid)) return super.destroy(sid, callback);
        return this.answer(callback, () => {
          throw new Error('no such session');
        });
      }
    },
    caught: 'CONTRACT-010 RACE-018 RACE-021 RACE-022',
  },
  'destroy does nothing': {
    store: class extends ReferenceStore {
      override destroy(...[, callback]: Args<'destroy'>) {
        return this.answer(callback, () => {});
      }
    },
    caught:
      'CONTRACT-008 CONTRACT-016 IDS-001 IDS-002 IDS-003 IDS-004 IDS-005 IDS-006 IDS-007 IDS-008 IDS-009 IDS-010 IDS-011 IDS-012 IDS-014 IDS-015 IDS-016 IDS-017 IDS-018 IDS-019 IDS-020 IDS-013 CALLBACK-010 ISOLATION-009 HTTP-005 HTTP-006 HTTP-007 HTTP-015 RACE-001 RACE-002 RACE-003 RACE-004 RACE-005 RACE-006 RACE-007 RACE-008 RACE-009 RACE-011 RACE-012 RACE-015 RACE-016 RACE-017 RACE-018 RACE-019 RACE-021 RACE-022 RACE-039',
  },
  'destroy needs a callback': {
    store: class extends ReferenceStore {
      override destroy(...[sid, callback]: Args<'destroy'>) {
        if (!callback) throw new TypeError('callback is not a function');
        return super.destroy(sid, callback);
      }
    },
    caught: 'CALLBACK-010 CALLBACK-015 HTTP-006 FAULT-006',
  },
  'sessions without an end are refused': {
    store: class extends ReferenceStore {
      override lifetime(data: SessionData) {
        return data.cookie.expires ? super.lifetime(data) : -1;
      }
    },
    caught:
      'TTL-008 TTL-009 TTL-012 TTL-022 HTTP-001 HTTP-002 HTTP-003 HTTP-005 HTTP-008 HTTP-015 RACE-009 RACE-010 RACE-014',
  },
  'a lifetime, once set, stays': {
    store: class extends ReferenceStore {
      override write(sid: string, text: string, lifetime: number) {
        const row = this.server.get(this.key(sid));
        super.write(sid, text, row && this.isLive(row) ? row.end - Date.now() : lifetime);
      }
    },
    caught:
      'TTL-006 TTL-010 TTL-011 TTL-012 TTL-013 TTL-021 TTL-024 HTTP-010 HTTP-012 HTTP-014 RACE-034 RACE-035 RACE-041',
  },
  'the cookie is believed, not the deadline': {
    store: class extends ReferenceStore {
      override touch(...[sid, data, callback]: Args<'touch'>) {
        return this.answer(callback, () => {
          const row = this.server.get(this.key(sid));
          if (row && this.isLive(row)) row.end = Date.now() + this.lifetime(data);
        });
      }
      override read(sid: string) {
        const { cookie } = JSON.parse(this.server.get(this.key(sid))?.text ?? '{"cookie":{}}');
        return cookie.expires && Date.parse(cookie.expires) < Date.now() ? null : super.read(sid);
      }
    },
    caught: 'TTL-013 HTTP-009 HTTP-012 RACE-035 RACE-038 RACE-041',
  },
  'originalMaxAge is what is left': {
    store: class extends ReferenceStore {
      override read(sid: string) {
        const found = super.read(sid);
        if (found?.cookie.expires)
          found.cookie.originalMaxAge = found.cookie.expires.getTime() - Date.now() - 1;
        return found;
      }
    },
    caught: 'TTL-022 HTTP-009 HTTP-010',
  },
  'ids match by prefix': {
    store: class extends ReferenceStore {
      override read(sid: string) {
        const key = this.keys().find((candidate) => candidate.startsWith(this.key(sid)));
        return super.read(key?.slice(this.prefix.length + 1) ?? sid);
      }
    },
    caught: 'IDS-003 IDS-004 IDS-005 IDS-006 IDS-008 IDS-009 IDS-016 IDS-017 IDS-018 IDS-019 IDS-013',
  },
  'rows are properties of an object': {
    store: class extends ReferenceStore {
      override read(sid: string) {
        return sid in {} ? JSON.parse('{"cookie":{}}') : super.read(sid);
      }
    },
    caught: 'IDS-003 IDS-007',
  },
  'ids are file names': {
    store: keyed((sid) => sid.replace(/[/\\:\0\n\r]/g, '_')),
    caught: 'IDS-009 IDS-017',
  },
  'text is read with an old encoding': {
    store: writing((text) => text.replace(/[^\0-\uffff]/gu, '?')),
    caught: 'DATA-005 DATA-012 RACE-033 RACE-041',
  },
  'values are guessed from text': {
    store: class extends ReferenceStore {
      override read(sid: string) {
        const text = JSON.stringify(super.read(sid));
        return JSON.parse(text, (key, value) => (key !== '' && /^\d+$/.test(value) ? Number(value) : value));
      }
    },
    caught: 'DATA-001 DATA-004 DATA-021 RACE-040 RACE-043',
  },
  'empty values are dropped': {
    store: replacing((_, value) => (value === '' ? undefined : value)),
    caught: 'DATA-002 DATA-022 RACE-033 RACE-041',
  },
  'dots and dollars in keys are replaced': {
    store: writing((text) => text.replace(/"[^"]*":/g, (key) => key.replace(/[.$]/g, '_'))),
    caught: 'DATA-008 DATA-021 DATA-022 RACE-033 RACE-041',
  },
  'keys end at NUL': {
    store: writing((text) => text.replace(/\\u0000[^"]*":/g, '":')),
    caught: 'DATA-027',
  },
  'keys are copied deeply, prototypes included': {
    store: class extends ReferenceStore {
      override serialize(data: SessionData) {
        copyInto({ value: {} }, data);
        return super.serialize(data);
      }
    },
    caught: 'DATA-009',
  },
  'prefixes are ignored': {
    store: class extends ReferenceStore {
      override key(sid: string) {
        return `all:${sid}`;
      }
    },
    abreast: 1,
    caught:
      'CONTRACT-013 CONTRACT-015 CONTRACT-016 CONTRACT-017 TTL-009 TTL-019 TTL-020 TTL-023 TTL-024 CALLBACK-011 ISOLATION-006 ISOLATION-007 ISOLATION-010 CAPABILITY-002 CAPABILITY-003',
  },
  'every connection has a cache': {
    store: class extends ReferenceStore {
      readonly cache = new Map<string, SessionData | null>();
      override read(sid: string) {
        if (!this.cache.has(sid)) this.cache.set(sid, super.read(sid));
        return structuredClone(this.cache.get(sid) ?? null);
      }
      override write(sid: string, text: string, lifetime: number) {
        super.write(sid, text, lifetime);
        this.cache.delete(sid);
      }
      override destroy(...[sid, callback]: Args<'destroy'>) {
        this.cache.delete(sid);
        return super.destroy(sid, callback);
      }
    },
    caught:
      'TTL-002 TTL-003 TTL-004 TTL-011 TTL-014 ISOLATION-009 RACE-005 RACE-022 RACE-034 RACE-041 RACE-043',
  },
  'no touch, all, length and clear': {
    store: without('touch', 'all', 'length', 'clear'),
    caught: 'CONTRACT-003 HTTP-012 RACE-038 RACE-041',
  },
  'an emitter by its methods only': {
    store: class extends ReferenceStore {
      constructor(...args: ConstructorParameters<typeof ReferenceStore>) {
        super(...args);
        const flat = {};
        for (
          let each: object = this;
          !Object.hasOwn(each, 'isPrototypeOf');
          each = Object.getPrototypeOf(each)
        ) {
          Object.defineProperties(flat, {
            ...Object.getOwnPropertyDescriptors(each),
            ...Object.getOwnPropertyDescriptors(flat),
          });
        }
        Object.setPrototypeOf(this, flat);
      }
    },
    caught: 'CONTRACT-001',
  },
  'no destroy': {
    store: without('destroy'),
    caught:
      'CONTRACT-002 CALLBACK-010 HTTP-005 HTTP-006 HTTP-007 RACE-006 RACE-007 RACE-008 RACE-009 RACE-011 RACE-015 RACE-016 RACE-017 RACE-018 RACE-019 RACE-020 RACE-021 RACE-022 FAULT-006',
  },
  'no regenerate': {
    store: without('regenerate'),
    caught:
      'CONTRACT-004 HTTP-005 RACE-009 RACE-015 RACE-016 RACE-017 RACE-018 RACE-019 RACE-020 RACE-021 RACE-022',
  },
  'get of an unknown id is an error': {
    store: class extends ReferenceStore {
      override get(...[sid, callback]: Args<'get'>) {
        return this.answer(callback, () => {
          const found = this.read(sid);
          if (!found) throw new Error('no such session');
          return found;
        });
      }
    },
    caught:
      'CONTRACT-005 CONTRACT-008 CONTRACT-017 TTL-002 TTL-003 TTL-004 TTL-005 TTL-006 TTL-011 TTL-014 TTL-016 TTL-018 IDS-001 IDS-002 IDS-003 IDS-010 IDS-020 CALLBACK-001 CALLBACK-002 CALLBACK-003 CALLBACK-004 CALLBACK-005 CALLBACK-006 CALLBACK-007 CALLBACK-008 CALLBACK-010 CALLBACK-011 CALLBACK-012 CALLBACK-013 CALLBACK-014 CALLBACK-015 ISOLATION-006 ISOLATION-009 ISOLATION-010 HTTP-002 HTTP-005 HTTP-006 HTTP-007 HTTP-013 HTTP-015 RACE-001 RACE-002 RACE-004 RACE-005 RACE-006 RACE-007 RACE-008 RACE-009 RACE-011 RACE-012 RACE-015 RACE-016 RACE-017 RACE-018 RACE-019 RACE-020 RACE-021 RACE-022 RACE-034 RACE-039 RACE-041 FAULT-004 FAULT-005',
  },
  'numbers become text': {
    store: class extends ReferenceStore {
      override read(sid: string) {
        const found = super.read(sid);
        if (!found) return null;
        const { cookie, ...data } = found;
        const text = JSON.stringify(data, (_, value) => (typeof value === 'number' ? String(value) : value));
        return { ...JSON.parse(text), cookie };
      }
    },
    caught:
      'CONTRACT-006 CONTRACT-007 IDS-001 IDS-002 IDS-003 IDS-004 IDS-005 IDS-006 IDS-007 IDS-008 IDS-009 IDS-010 IDS-011 IDS-012 IDS-014 IDS-015 IDS-016 IDS-017 IDS-018 IDS-019 IDS-020 IDS-013 DATA-001 DATA-002 DATA-007 DATA-008 DATA-010 DATA-011 DATA-020 DATA-021 DATA-022 DATA-023 DATA-026 DATA-027 ISOLATION-001 ISOLATION-002 ISOLATION-009 ISOLATION-010 HTTP-003 RACE-010 RACE-012 RACE-013 RACE-024 RACE-025 RACE-030 RACE-032 RACE-033 RACE-034 RACE-036 RACE-037 RACE-038 RACE-039 RACE-040 RACE-041 RACE-043',
  },
  'destroy ends every session': {
    store: class extends ReferenceStore {
      override destroy(...[, callback]: Args<'destroy'>) {
        return this.clear(callback);
      }
    },
    caught:
      'CONTRACT-009 CONTRACT-016 IDS-001 IDS-002 IDS-003 IDS-004 IDS-005 IDS-006 IDS-007 IDS-008 IDS-009 IDS-010 IDS-011 IDS-012 IDS-014 IDS-015 IDS-016 IDS-017 IDS-018 IDS-019 IDS-020 IDS-013 RACE-022',
  },
  'an id that was destroyed is never stored again': {
    store: class extends ReferenceStore {
      readonly ended = new Set<string>();
      override destroy(...[sid, callback]: Args<'destroy'>) {
        this.ended.add(sid);
        return super.destroy(sid, callback);
      }
      override isLate(...[sid, data]: Args<'isLate'>) {
        return this.ended.has(sid) || super.isLate(sid, data);
      }
    },
    caught: 'CONTRACT-011 IDS-013 RACE-012',
  },
  'touch stores the cookie and nothing else': {
    store: class extends ReferenceStore {
      override touch(...[sid, data, callback]: Args<'touch'>) {
        return this.answer(callback, () => {
          if (this.read(sid)) this.write(sid, JSON.stringify({ cookie: data.cookie }), this.lifetime(data));
        });
      }
    },
    caught: 'CONTRACT-012 TTL-015 DATA-017 HTTP-009 HTTP-014 RACE-014 RACE-035 RACE-038 RACE-041',
  },
  'all answers with an object': {
    store: class extends ReferenceStore {
      override all(...[callback]: Parameters<ReferenceStore['all']>) {
        return this.answer(callback, () => Object.assign({}, this.entries()));
      }
    },
    caught: 'CONTRACT-014 CONTRACT-015',
  },
  'a session without data is not stored': {
    store: class extends ReferenceStore {
      override write(...[sid, text, lifetime]: Args<'write'>) {
        if (Object.keys(JSON.parse(text)).length > 1) super.write(sid, text, lifetime);
      }
    },
    caught:
      'CONTRACT-015 CONTRACT-016 TTL-001 TTL-002 TTL-003 TTL-004 TTL-006 TTL-009 TTL-010 TTL-012 TTL-013 TTL-020 TTL-021 TTL-022 TTL-023 TTL-024 DATA-003 DATA-016 HTTP-002 RACE-028 RACE-030 RACE-041 CAPABILITY-002 CAPABILITY-003',
  },
  'numbers are 32 bits wide': {
    store: class extends ReferenceStore {
      override serialize(data: SessionData) {
        return JSON.stringify({ ...data, cookie: 0 }, (_, value) =>
          Number.isInteger(value) ? value | 0 : value,
        ).replace('"cookie":0', () => `"cookie":${JSON.stringify(data.cookie)}`);
      }
    },
    caught: 'DATA-007 RACE-033 RACE-041',
  },
  'a key named __proto__ is dropped': {
    store: replacing((key, value) => (key === '__proto__' ? undefined : value)),
    caught: 'DATA-010 RACE-032 RACE-041',
  },
  'get of an unknown id calls back twice': {
    store: class extends ReferenceStore {
      override get(...[sid, callback]: Args<'get'>) {
        return super.get(sid, this.read(sid) ? callback : callback && twice(callback));
      }
    },
    caught: 'CALLBACK-001 CALLBACK-013 HTTP-005 HTTP-006 HTTP-013 HTTP-015 RACE-006',
  },
  'destroy, touch, all, length and clear call back twice': {
    store: class extends ReferenceStore {
      override destroy(...[sid, callback]: Args<'destroy'>) {
        return super.destroy(sid, callback && twice(callback));
      }
      override touch(...[sid, data, callback]: Args<'touch'>) {
        return super.touch(sid, data, callback && twice(callback));
      }
      override all(...[callback]: Parameters<ReferenceStore['all']>) {
        return super.all(callback && twice(callback));
      }
      override length(...[callback]: Parameters<ReferenceStore['length']>) {
        return super.length(callback && twice(callback));
      }
      override clear(...[callback]: Parameters<ReferenceStore['clear']>) {
        return super.clear(callback && twice(callback));
      }
    },
    caught: 'CALLBACK-003 CALLBACK-004 CALLBACK-005 CALLBACK-006 CALLBACK-007 CALLBACK-013 FAULT-002',
  },
  'what all answered with is live': {
    store: class extends ReferenceStore {
      readonly listed = new Map<string, SessionData>();
      override entries() {
        const entries = super.entries();
        for (const entry of entries) this.listed.set(entry.id, entry);
        return entries;
      }
      override read(sid: string) {
        const found = super.read(sid);
        return found && (this.listed.get(sid) ?? found);
      }
    },
    caught: 'ISOLATION-004',
  },
  'a request is answered with what it has loaded first': {
    store: class extends ReferenceStore {
      readonly loaded = new Map<string, SessionData>();
      override get(...[sid, callback]: Args<'get'>) {
        return this.answer(callback, () => this.loaded.get(sid) ?? this.read(sid));
      }
      override createSession(...args: Args<'createSession'>) {
        const created = super.createSession(...args);
        this.loaded.set(created.id, JSON.parse(this.serialize(created)));
        return created;
      }
      override save(...args: Args<'save'>) {
        super.save(...args);
        if ('req' in args[1]) this.loaded.delete(args[0]);
      }
      override destroy(...[sid, callback]: Args<'destroy'>) {
        this.loaded.delete(sid);
        return super.destroy(sid, callback);
      }
    },
    caught: 'TTL-015 HTTP-004 RACE-005 RACE-022 RACE-041',
  },
  'originalMaxAge is not kept': {
    store: class extends ReferenceStore {
      override read(sid: string) {
        const found = super.read(sid);
        if (found) found.cookie.originalMaxAge = null;
        return found;
      }
    },
    caught: 'TTL-022 HTTP-009 HTTP-011 HTTP-012 RACE-034 RACE-038 RACE-041',
  },
  'calls wait for the server': {
    store: class extends ReferenceStore {
      readonly waiting: (() => void)[] = [];
      override answer<T>(...[callback, work]: Parameters<typeof ReferenceStore.prototype.answer<T>>) {
        if (this.isOnline || !callback) return super.answer(callback, work);
        this.waiting.push(() => super.answer(callback, work));
        return undefined;
      }
      override setOnline(isOnline: boolean) {
        super.setOnline(isOnline);
        for (const go of isOnline ? this.waiting.splice(0) : []) go();
      }
    },
    caught: 'FAULT-001',
  },
  'what has failed is tried and answered again': {
    store: class extends ReferenceStore {
      readonly failed: (() => void)[] = [];
      override get(...[sid, callback]: Args<'get'>) {
        if (!this.isOnline && callback) this.failed.push(() => super.get(sid, callback));
        return super.get(sid, callback);
      }
      override setOnline(isOnline: boolean) {
        super.setOnline(isOnline);
        for (const again of isOnline ? this.failed.splice(0) : []) again();
      }
    },
    caught: 'FAULT-002',
  },
  'a server that is away has no sessions': {
    store: class extends ReferenceStore {
      override get(...[sid, callback]: Args<'get'>) {
        return super.get(sid, callback && ((error, found) => callback(this.isOnline ? error : null, found)));
      }
    },
    caught: 'FAULT-003',
  },
  'destroy is confirmed whether or not the server has heard of it': {
    store: class extends ReferenceStore {
      override destroy(...[sid, callback]: Args<'destroy'>) {
        return super.destroy(sid, callback && (() => callback(null)));
      }
    },
    caught: 'FAULT-004',
  },
  'what has failed is kept in a queue': {
    store: class extends ReferenceStore {
      readonly queue: (() => void)[] = [];
      override set(...[sid, data, callback]: Args<'set'>) {
        if (!this.isOnline) this.queue.push(() => void super.set(sid, data));
        return super.set(sid, data, callback);
      }
      override setOnline(isOnline: boolean) {
        super.setOnline(isOnline);
        for (const late of isOnline ? this.queue.splice(0) : []) late();
      }
    },
    caught: 'FAULT-005',
  },
  'destroy without a callback rejects when the server is away': {
    store: class extends ReferenceStore {
      override destroy(...[sid, callback]: Args<'destroy'>) {
        return super.destroy(sid, callback)?.then((value) => value);
      }
    },
    caught: 'FAULT-006',
  },
  'a server that was away once is away for ever': {
    store: class extends ReferenceStore {
      override setOnline(isOnline: boolean) {
        super.setOnline(isOnline && this.isOnline);
      }
    },
    caught: 'FAULT-002 FAULT-004 FAULT-005 FAULT-006 FAULT-007',
  },
};

/** Those in `shared-stores.ts`, which are broken for another process only. */
export const sharedMutants: Record<Exclude<keyof typeof stores, (typeof rightStores)[number]>, string> = {
  'a process knows of its own log-outs only': 'RACE-023',
  'a process merges with what it has seen last': 'RACE-042 RACE-044',
  'sessions that are shared are said not to be': 'CAPABILITY-001',
  'sessions that are not shared are said to be': 'RACE-023 RACE-042 RACE-044 CAPABILITY-001',
};
