import { type StoreKind, storeKind } from '@session-stores/every-store';
import type { Judged, Matrix } from './matrix.js';

/** Where the source of a published store does what a MUST forbids, or fails to do what it asks for. */
export interface Cause {
  /** The requirements that are not met because of it. */
  readonly ids: readonly string[];
  /** A file of the published package and a line of it: `dist/index.js:42`. */
  readonly where: string;
  /** What happens there, in our words. */
  readonly because: string;
}

/** What was confirmed by reading, by the names under which the packages are installed here. */
const confirmed: Readonly<Record<StoreKind['package'], readonly Cause[]>> = {
  memorystore: [
    {
      ids: ['TTL-005'],
      where: 'lib/memorystore.js:34',
      because:
        'The lifetime goes to lru-cache, to which one of 0, and of less than a millisecond, means that there is none: the session is kept for ever.',
    },
  ],
  'express-mysql-session': [
    {
      ids: ['TTL-007', 'TTL-026'],
      where: 'schema.sql:3',
      because:
        'The end is an unsigned 32-bit number of seconds, which are over in 2106: in its default, strict mode the server refuses a later one, and with it the session.',
    },
    {
      ids: ['IDS-004'],
      where: 'schema.sql:2',
      because:
        'utf8mb4_bin compares without regard to spaces at the end, in a primary key as well: the later one of two such ids overwrites the session of the other.',
    },
  ],
  'connect-mongodb-session': [
    {
      ids: ['CONTRACT-013', 'CALLBACK-005', 'ISOLATION-004'],
      where: 'index.js:160',
      because:
        'all gives a callback to toArray, which takes none since version 5 of the driver, and the package asks for version 5 or 6: nobody is ever called back.',
    },
  ],
  'connect-session-knex': [
    {
      ids: ['TTL-005'],
      where: 'dist/index.js:92',
      because: 'What is left of the lifetime counts as missing when it is 0: the session is kept for a day.',
    },
  ],
  'better-sqlite3-session-store': [
    {
      ids: ['CONTRACT-013'],
      where: 'src/index.js:216',
      because:
        'all answers with the rows of the table, in which a session is text in a column, and not with sessions; those that have ended are among them.',
    },
    {
      ids: ['TTL-005'],
      where: 'src/index.js:73',
      because: 'What is left of the lifetime counts as missing when it is 0: the session is kept for a day.',
    },
  ],
  'session-file-store': [
    {
      ids: ['TTL-005'],
      where: 'lib/session-file-helpers.js:383',
      because:
        'An originalMaxAge of 0 counts as missing: the session is kept for the option ttl, by default an hour.',
    },
  ],
};

/** Why a published store does not meet a requirement, if that was confirmed. */
export function causeOf({ name }: Pick<Judged, 'name'>, id: string): Cause | undefined {
  return confirmed[storeKind(name).package]?.find(({ ids }) => ids.includes(id));
}

/** Each MUST that a published store does not meet, and of which nobody has read why: `memorystore/TTL-005`. */
export function unconfirmed({ stores }: Matrix): readonly string[] {
  return stores.flatMap((judged) =>
    judged.ours
      ? []
      : judged.results.flatMap(({ id, status }) =>
          status === 'fail' && !causeOf(judged, id) ? [`${judged.name}/${id}`] : [],
        ),
  );
}
