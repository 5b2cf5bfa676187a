import type { SessionData } from 'express-session';
import { describe, expect, test } from 'vitest';
import { audit, judge } from '../src/audit.js';
import { requirements } from '../src/requirements/index.js';
import { harnessOf, ReferenceStore, type Row } from './reference-store.js';

type Args<M extends 'get' | 'set' | 'touch' | 'destroy'> = Parameters<ReferenceStore[M]>;

/** The reference store, broken in one place each, and exactly the requirements that catch it. */
const mutants: Record<string, { store: typeof ReferenceStore; caught: string; abreast?: number }> = {
  'set calls back twice': {
    store: class extends ReferenceStore {
      override set(...[sid, data, callback]: Args<'set'>) {
        return super.set(
          sid,
          data,
          callback &&
            ((error) => {
              setImmediate(callback, error);
              callback(error);
            }),
        );
      }
    },
    caught: 'CALLBACK-002 CALLBACK-008 CALLBACK-013',
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
    caught: 'TTL-016 TTL-018 RACE-002 RACE-007',
  },
  'touch does nothing': {
    store: class extends ReferenceStore {
      override touch(...[, , callback]: Args<'touch'>) {
        return this.answer(callback, () => {});
      }
    },
    caught: 'TTL-013 TTL-021 TTL-024 HTTP-009 HTTP-012',
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
    caught: 'HTTP-012',
  },
  'touch stores the data': {
    store: class extends ReferenceStore {
      override touch(...[sid, data, callback]: Args<'touch'>) {
        return this.answer(callback, () => {
          if (this.read(sid)) this.write(sid, this.serialize(data), this.lifetime(data));
        });
      }
    },
    caught: 'TTL-015',
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
    caught: 'TTL-017 HTTP-013 RACE-007',
  },
  'sessions never end': {
    store: class extends ReferenceStore {
      override isLive() {
        return true;
      }
    },
    caught: 'TTL-002 TTL-003 TTL-004 TTL-005 TTL-006 TTL-011 TTL-014 TTL-018 TTL-019 TTL-020',
  },
  'sessions end early': {
    store: class extends ReferenceStore {
      override isLive(row: Row) {
        const { originalMaxAge } = JSON.parse(row.text).cookie;
        return row.end - 0.3 * originalMaxAge > Date.now();
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
      'TTL-002 TTL-003 TTL-004 TTL-009 TTL-011 TTL-014 TTL-018 TTL-019 TTL-020 TTL-021 TTL-023 TTL-024 HTTP-012',
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
    caught: 'TTL-007',
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
      'TTL-021 DATA-011 DATA-013 DATA-014 DATA-015 ISOLATION-001 ISOLATION-002 ISOLATION-003 ISOLATION-009 ISOLATION-010 RACE-013',
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
    store: class extends ReferenceStore {
      override key(sid: string) {
        return super.key(sid.toLowerCase());
      }
    },
    caught: 'IDS-002',
  },
  'ids are cut off after 64 characters': {
    store: class extends ReferenceStore {
      override key(sid: string) {
        return super.key(sid.slice(0, 64));
      }
    },
    caught: 'IDS-010 IDS-011',
  },
  'ids lose spaces at the end': {
    store: class extends ReferenceStore {
      override key(sid: string) {
        return super.key(sid.trimEnd());
      }
    },
    caught: 'IDS-004',
  },
  'ids are encoded as UTF-8': {
    store: class extends ReferenceStore {
      override key(sid: string) {
        return super.key(sid.toWellFormed());
      }
    },
    caught: 'IDS-012',
  },
  'ids are compared in normal form': {
    store: class extends ReferenceStore {
      override key(sid: string) {
        return super.key(sid.normalize());
      }
    },
    caught: 'IDS-008',
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
    caught: 'DATA-013 DATA-014 DATA-015 CALLBACK-008 CALLBACK-009',
  },
  'a rejected promise is left alone': {
    store: class extends ReferenceStore {
      override answer<T>(...[callback, work]: Parameters<typeof ReferenceStore.prototype.answer<T>>) {
        return super.answer(callback, work)?.then((value) => value);
      }
    },
    caught: 'CALLBACK-012',
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
    caught: 'RACE-001 RACE-004 RACE-005 RACE-006 RACE-008 RACE-009 RACE-011',
  },
  'a reloaded session counts as new': {
    store: class extends ReferenceStore {
      override createSession(...args: Parameters<ReferenceStore['createSession']>) {
        const seen = 'session' in args[0];
        const created = super.createSession(...args);
        if (seen) this.stored.delete(created);
        return created;
      }
    },
    caught: 'RACE-004',
  },
  'a new session counts as loaded only when it is loaded': {
    store: class extends ReferenceStore {
      override set(...[sid, data, callback]: Args<'set'>) {
        const known = this.stored.has(data);
        const returned = super.set(sid, data, callback);
        if (!known) this.stored.delete(data);
        return returned;
      }
    },
    caught: 'RACE-011',
  },
  'set takes its time to look at the session': {
    store: class extends ReferenceStore {
      override set(...[sid, data, callback]: Args<'set'>) {
        const later = Promise.resolve().then(() => super.set(sid, data));
        return this.answer(callback, () => later);
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
    caught: 'CONTRACT-007',
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
    caught: 'DATA-012',
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
    caught: 'CONTRACT-010',
  },
  'destroy does nothing': {
    store: class extends ReferenceStore {
      override destroy(...[, callback]: Args<'destroy'>) {
        return this.answer(callback, () => {});
      }
    },
    caught:
      'CONTRACT-008 CONTRACT-016 IDS-001 IDS-002 IDS-003 IDS-004 IDS-005 IDS-006 IDS-007 IDS-008 IDS-009 IDS-010 IDS-011 IDS-012 IDS-013 CALLBACK-010 ISOLATION-009 HTTP-005 HTTP-006 HTTP-007 HTTP-015 RACE-001 RACE-002 RACE-003 RACE-004 RACE-005 RACE-006 RACE-007 RACE-008 RACE-009 RACE-011 RACE-012',
  },
  'destroy needs a callback': {
    store: class extends ReferenceStore {
      override destroy(...[sid, callback]: Args<'destroy'>) {
        if (!callback) throw new TypeError('callback is not a function');
        return super.destroy(sid, callback);
      }
    },
    caught: 'CALLBACK-010 CALLBACK-015 HTTP-006',
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
    caught: 'TTL-006 TTL-010 TTL-011 TTL-012 TTL-013 TTL-021 TTL-024 HTTP-009 HTTP-010 HTTP-012 HTTP-014',
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
    caught: 'TTL-013 HTTP-009 HTTP-012 HTTP-014',
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
    caught: 'IDS-003 IDS-004 IDS-005 IDS-006 IDS-008 IDS-009 IDS-013',
  },
  'rows are properties of an object': {
    store: class extends ReferenceStore {
      override read(sid: string) {
        return sid in {} ? JSON.parse('{"cookie":{}}') : super.read(sid);
      }
    },
    caught: 'IDS-007',
  },
  'ids are file names': {
    store: class extends ReferenceStore {
      override key(sid: string) {
        return super.key(sid.replace(/[/\\:\0\n\r]/g, '_'));
      }
    },
    caught: 'IDS-009',
  },
  'text is read with an old encoding': {
    store: class extends ReferenceStore {
      override serialize(data: SessionData) {
        return super.serialize(data).replace(/[^\0-\uffff]/gu, '?');
      }
    },
    caught: 'DATA-005 DATA-012',
  },
  'values are guessed from text': {
    store: class extends ReferenceStore {
      override read(sid: string) {
        const text = JSON.stringify(super.read(sid));
        return JSON.parse(text, (key, value) => (key !== '' && /^\d+$/.test(value) ? Number(value) : value));
      }
    },
    caught: 'DATA-001 DATA-004',
  },
  'empty values are dropped': {
    store: class extends ReferenceStore {
      override serialize(data: SessionData) {
        return JSON.stringify(data, (_, value) => (value === '' ? undefined : value));
      }
    },
    caught: 'DATA-002',
  },
  'dots and dollars in keys are replaced': {
    store: class extends ReferenceStore {
      override serialize(data: SessionData) {
        return super.serialize(data).replace(/"[^"]*":/g, (key) => key.replace(/[.$]/g, '_'));
      }
    },
    caught: 'DATA-008',
  },
  'keys are copied deeply, prototypes included': {
    store: class extends ReferenceStore {
      override serialize(data: SessionData) {
        const copy = (into: Record<string, unknown>, from: object) => {
          for (const [key, value] of Object.entries(from)) {
            const inner = into[key];
            if (value && inner && typeof value === 'object') copy(Object(inner), value);
            else into[key] = value;
          }
        };
        copy({ value: {} }, data);
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
      'CONTRACT-013 CONTRACT-015 CONTRACT-016 CONTRACT-017 TTL-009 TTL-019 TTL-020 TTL-023 TTL-024 CALLBACK-011 ISOLATION-006 ISOLATION-007 ISOLATION-010',
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
    caught: 'TTL-002 TTL-003 TTL-004 TTL-011 TTL-014 ISOLATION-009 RACE-005',
  },
  'no touch, all, length and clear': {
    store: class extends ReferenceStore {
      constructor(...args: ConstructorParameters<typeof ReferenceStore>) {
        super(...args);
        for (const name of ['touch', 'all', 'length', 'clear']) Object.assign(this, { [name]: undefined });
      }
    },
    caught: 'CONTRACT-003 HTTP-009 HTTP-012',
  },
};

describe('a store that is broken in one place is caught by exactly the requirements that say so', () => {
  for (const [name, { store, caught, abreast }] of Object.entries(mutants)) {
    test(name, { timeout: 120_000 }, async () => {
      const results = await audit(harnessOf(store), abreast);
      const others = results.filter(({ status }) => status !== 'pass' && status !== 'unsupported');
      const seen = others.map(({ id, status }) => (status === 'fail' ? id : `${id}:${status}`));
      expect(seen.join(' ')).toBe(caught);
    });
  }
});

test('a store that does not answer is caught', { timeout: 20_000 }, async () => {
  class Silent extends ReferenceStore {
    override length() {
      return undefined;
    }
  }
  const requirement = requirements.find(({ id }) => id === 'CALLBACK-006');
  expect(requirement && (await judge(requirement, harnessOf(Silent)))).toMatchObject({
    status: 'fail',
    evidence: 'length did not call back within 5000 ms',
  });
});

test('what the suite or the harness does wrong is an error, not a failure of the store', async () => {
  const [requirement] = requirements;
  const harness = () => {
    throw new Error('no server');
  };
  expect(requirement && (await judge(requirement, harness))).toMatchObject({ status: 'error' });
});
