import { tmpdir } from 'node:os';
import type { StoreOptions } from '@session-stores/core';
import {
  type StoreName as EveryStoreName,
  storeKind as kindOf,
  newNamespace,
  type StoreKind,
} from '@session-stores/every-store';
import type { SessionData, Store } from 'express-session';

/** The stores that race: ours on each kind of database, and the most used of the published ones. */
export const storeNames = [
  'memory',
  'redis',
  'mariadb',
  'mysql',
  'mongo',
  'postgres',
  'sqlite',
  'express-session',
  'memorystore',
  'connect-redis-8',
  'connect-redis-10',
  'express-mysql-session',
  'connect-mongo',
  'connect-pg-simple',
] as const satisfies readonly EveryStoreName[];

export type StoreName = (typeof storeNames)[number];

export const storeKind: (name: StoreName) => StoreKind = kindOf;

/** Every deadline that a request moves is moved on the server, and it is not judged how fast the machine is. */
const always = { touchAfter: 0, timeoutMs: 15_000 };

/** Where a store has its sessions. */
export interface Place {
  readonly store: StoreName;
  /** The server, or the folder that takes its place; empty where the store lives in its process. */
  readonly url: string;
  readonly namespace: string;
}

/** Whether two processes on one place have the same sessions. */
export function isShared(store: StoreName): boolean {
  const { server, inFolder } = storeKind(store);
  return server !== undefined || inFolder === true;
}

/** A place that nobody else has. */
export async function newPlace(store: StoreName, server = ''): Promise<Place> {
  const kind = storeKind(store);
  const place = { store, url: kind.inFolder ? tmpdir() : server, namespace: newNamespace() };
  await kind.prepare?.(place);
  return place;
}

/** @param conflicts Only the stores of this repository have a choice. */
export async function open(place: Place, conflicts?: StoreOptions['conflicts']): Promise<Store> {
  return (await storeKind(place.store).open({ ...place, ours: { conflicts, ...always } })).store;
}

/** Looks at sessions on the server itself. */
interface Inspector {
  /** Milliseconds until the server forgets the session; `undefined` when nothing of it is there. */
  left(id: string): Promise<number | undefined>;
  /** Deletes the whole namespace, and looks no more. */
  drop(): Promise<unknown>;
}

export async function inspect(store: Store, { store: name, url, namespace }: Place): Promise<Inspector> {
  const look = await storeKind(name).look?.(url);
  if (look === undefined) return { left: (id) => leftInProcess(store, id), drop: async () => {} };
  return {
    left: (id) => look.left(namespace, id),
    async drop() {
      await look.drop(namespace);
      await look.close();
    },
  };
}

async function leftInProcess(store: Store, id: string): Promise<number | undefined> {
  const found = await read(store, id);
  if (found === null) return undefined;
  const { expires } = found.cookie;
  return expires ? new Date(expires).getTime() - Date.now() : Number.POSITIVE_INFINITY;
}

/** `get` of a store in this process, with a promise. */
export function read(store: Store, id: string): Promise<SessionData | null> {
  return new Promise((resolve, reject) => {
    store.get(id, (error, found) => (error ? reject(error) : resolve(found ?? null)));
  });
}
