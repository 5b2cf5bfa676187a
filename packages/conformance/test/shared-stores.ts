import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionData } from 'express-session';
import type { Harness } from '../src/harness.js';
import { FileServer, ReferenceStore, Server, subjectOn } from './reference-store.js';

const ended = new Set<string>();

class KnowsOwnLogouts extends ReferenceStore {
  override destroy(sid: string, callback?: (error?: unknown) => void) {
    ended.add(sid);
    return super.destroy(sid, callback);
  }
  override isLate(...[sid, data]: Parameters<ReferenceStore['isLate']>) {
    return ended.has(sid) && super.isLate(sid, data);
  }
}

const seen = new Map<string, SessionData | null>();

class MergesWithSeen extends ReferenceStore {
  override read(sid: string) {
    const found = super.read(sid);
    if (!seen.has(sid)) seen.set(sid, found);
    return found;
  }
  override save(...[sid, data, mine]: Parameters<ReferenceStore['save']>) {
    super.save(sid, data, mine, structuredClone(seen.get(sid) ?? null));
    seen.set(sid, super.read(sid));
  }
}

class SaysENOENT extends ReferenceStore {
  override get(...[sid, callback]: Parameters<ReferenceStore['get']>) {
    return this.answer(callback, () => {
      const found = this.read(sid);
      if (found) return found;
      throw Object.assign(new Error('there is no such session'), { code: 'ENOENT' });
    });
  }
}

class DeniesSharing extends ReferenceStore {
  override readonly capabilities = { shared: false };
}

class ClaimsSharing extends ReferenceStore {
  override readonly server = new Server();
}

/** Those that are right, each in its way. */
export const rightStores = ['the reference store', 'an ENOENT error says that there is no session'] as const;

/** Stores that several processes have on one file: the reference store as it is and in another way that is right, and some that are broken only there. */
export const stores = {
  'the reference store': ReferenceStore,
  'an ENOENT error says that there is no session': SaysENOENT,
  'a process knows of its own log-outs only': KnowsOwnLogouts,
  'a process merges with what it has seen last': MergesWithSeen,
  'sessions that are shared are said not to be': DeniesSharing,
  'sessions that are not shared are said to be': ClaimsSharing,
} satisfies Record<string, typeof ReferenceStore>;

interface Options {
  readonly name: keyof typeof stores;
  readonly path: string;
}

/** What the other process does. */
export function open({ name, path }: Options): ReferenceStore {
  return new stores[name](new FileServer(path), 'shared');
}

export function sharedHarness(name: keyof typeof stores): Harness<ReferenceStore> {
  return () => {
    const folder = mkdtempSync(join(tmpdir(), 'session-stores-conformance-'));
    const path = join(folder, 'sessions.json');
    return {
      ...subjectOn(new FileServer(path), stores[name], 'shared'),
      elsewhere: {
        module: new URL('fixtures/elsewhere.mjs', import.meta.url).href,
        options: { name, path } satisfies Options,
      },
      cleanUp: () => rmSync(folder, { recursive: true, force: true }),
    };
  };
}
