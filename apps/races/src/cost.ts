import { randomUUID } from 'node:crypto';
import { SessionStore } from '@session-stores/core';
import session, { type SessionData } from 'express-session';
import { Choices } from './schedule.js';
import { inspect, newPlace, open, type StoreName } from './stores.js';

declare module 'express-session' {
  interface SessionData {
    n?: number;
    text?: string;
  }
}

// What a save costs that looks whether somebody else was faster. The ways take turns in an order that changes, so that what slows
// the machine down for a while slows down all of them, and medians are compared.

/** Ways to store a session that has changed. */
const ways = ['merge', 'overwrite', 'plain set'] as const;
type Way = (typeof ways)[number];

/** How the saves of a block follow each other. */
const paces = ['one after another', 'all at once'] as const;
type Pace = (typeof paces)[number];

/** What a save that merges takes, in what one of another way takes. */
export interface Cost {
  readonly pace: Pace;
  readonly against: Exclude<Way, 'merge'>;
  readonly ratio: number;
  /** The lowest and the highest ratio in any tenth of the run. */
  readonly spread: readonly [number, number];
}

const TENTHS = 10;

/** Has each way save that many times so many sessions, which it has loaded and changed. */
export async function measure(
  name: StoreName,
  url: string,
  { rounds, sessions = 20, seed }: { rounds: number; sessions?: number; seed: number },
): Promise<Cost[]> {
  const place = await newPlace(name, url);
  const opened = async (conflicts: 'merge' | 'overwrite') => {
    const store = await open(place, conflicts);
    if (store instanceof SessionStore) return store;
    throw new TypeError(`${name} has no choice of what to do about conflicts`);
  };
  const stores = {
    merge: await opened('merge'),
    overwrite: await opened('overwrite'),
    'plain set': await opened('overwrite'),
  };
  const ids = Array.from({ length: sessions }, () => randomUUID());
  const choices = new Choices(seed);
  const times = paces.map((pace) => ({ pace, merge: [], overwrite: [], 'plain set': [] }) as Times);
  try {
    // The first time warms up.
    for (let round = -1; round < rounds; round++)
      for (const each of times)
        for (const way of choices.shuffled(ways)) {
          const time = await timed(stores[way], way, each.pace, ids);
          if (round >= 0) each[way].push(time);
        }
  } finally {
    const inspector = await inspect(stores.merge, place);
    await inspector.drop();
    await Promise.all(Object.values(stores).map((store) => store.close()));
  }
  return times.flatMap(({ pace, merge, ...others }) =>
    (['overwrite', 'plain set'] as const).map((against) => {
      const size = Math.ceil(rounds / TENTHS);
      const ratios = Array.from({ length: Math.ceil(rounds / size) }, (_, tenth) => {
        const [from, to] = [tenth * size, (tenth + 1) * size];
        return median(merge.slice(from, to)) / median(others[against].slice(from, to));
      });
      const ratio = median(merge) / median(others[against]);
      return { pace, against, ratio, spread: [Math.min(...ratios), Math.max(...ratios)] };
    }),
  );
}

/** The milliseconds that each way has taken, each time. */
type Times = Record<Way, number[]> & { readonly pace: Pace };

/** Milliseconds to save these sessions, which are loaded and changed before. */
async function timed(store: SessionStore, way: Way, pace: Pace, ids: readonly string[]): Promise<number> {
  const changed = await Promise.all(
    ids.map(async (id) => {
      if ((await store.get(id)) === null) await store.set(id, newSession());
      const loaded = await store.load(id);
      if (loaded === undefined) throw new Error('a session is gone that was just stored');
      loaded.n = (loaded.n ?? 0) + 1;
      return { id, session: way === 'plain set' ? { ...loaded } : loaded };
    }),
  );
  const start = performance.now();
  if (pace === 'all at once') await Promise.all(changed.map(({ id, session }) => store.set(id, session)));
  else for (const { id, session } of changed) await store.set(id, session);
  return performance.now() - start;
}

/** As large as sessions are. */
function newSession(): SessionData {
  const cookie = new session.Cookie();
  cookie.maxAge = 3_600_000;
  return { cookie, n: 0, text: 'x'.repeat(500) };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
