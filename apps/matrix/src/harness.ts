import type { Subject } from '@session-stores/conformance';
import {
  newNamespace,
  type Settings,
  type StoreName,
  storeKind,
  storeNames,
} from '@session-stores/every-store';
import type { Store } from 'express-session';
import type { Order } from './elsewhere.js';

// Loaded by the processes that judge a store. Its own address says which one, and the environment where its server is: the
// server's URL may have a password, and addresses get into stack traces.

const kind = storeKind(nameIn(import.meta.url));
const url = process.env['MATRIX_URL'] ?? '';
const { server, inFolder = false, fallbackMs, nativeExpiry } = kind;
const shared = server !== undefined || inFolder;
const look = await kind.look?.(url);
const maxBytes = await look?.maxBytes?.();

/** A store as its own documentation would have it opened, on data of its own. */
export default async function harness(): Promise<Subject<Store>> {
  const settings: Settings = {
    url,
    namespace: newNamespace(),
    // Many stores are open at once,
    connections: 3,
    // and it is not judged how fast the machine is.
    ours: { timeoutMs: 30_000 },
  };
  await kind.prepare?.(settings);
  const closers = new Map<Store, () => Promise<unknown>>();
  const connect = async () => {
    const { store, close } = await kind.open(settings);
    closers.set(store, close);
    return store;
  };
  const store = await connect();
  return {
    store,
    ...(shared && { connect }),
    elsewhere: {
      module: new URL('elsewhere.js', import.meta.url).href,
      options: { store: nameIn(import.meta.url), settings } satisfies Order,
    },
    ...(look && { deadline: (sid: string) => look.left(settings.namespace, sid) }),
    capabilities: { shared, ...(nativeExpiry && { nativeExpiry }) },
    // As it comes, MongoDB looks for what has expired once a minute.
    ...(server === 'mongo' && { expiryLagMs: 120_000 }),
    ...(maxBytes && { maxBytes }),
    ...(fallbackMs && { fallbackMs }),
    async cleanUp(each) {
      await closers.get(each)?.();
      if (each === store) await look?.drop(settings.namespace);
    },
  };
}

function nameIn(address: string): StoreName {
  const given = new URL(address).searchParams.get('store');
  const name = storeNames.find((each) => each === given);
  if (name === undefined) throw new TypeError(`the harness's address has to name a store, not ${given}`);
  return name;
}
