import type { Table } from './table.js';

/** Rows in one step of a walk, and deleted in one step of `clear` and `sweep`. */
export const PAGE = 200;

/** The last moment of a `Date`; a deadline may be `infinity`, which is no date to compute with. */
const LAST = `timestamptz '275760-09-13 00:00:00+00'`;

/**
 * The statements on a table. `now()` is when a statement began, and what indexes on deadlines serve; by `clock_timestamp()` it is
 * decided whether a session still lives that another client has changed while the statement waited.
 */
export function statements({ name, json }: Table) {
  const deadline = (ttl: string) => `now() + ${ttl}::float8 * interval '1 millisecond'`;
  const live = 'expire > clock_timestamp()';
  const ttl = `extract(epoch FROM LEAST(expire, ${LAST}) - clock_timestamp()) * 1000`;
  // The text as it was written, or, in `jsonb`, what became of it.
  const same = json === 'jsonb' ? 'sess = $4::jsonb' : 'sess::text = $4';
  const overwrite = `UPDATE ${name} SET sess = $2::${json}, expire = ${deadline('$3')} WHERE sid = $1 AND ${live}`;
  const some = (condition: string) => `sid = ANY (ARRAY(SELECT sid FROM ${name} WHERE ${condition}))`;
  return {
    read: `SELECT sess::text, ${ttl} FROM ${name} WHERE sid = $1 AND ${live}`,
    create: `INSERT INTO ${name} (sid, sess, expire) VALUES ($1, $2::${json}, ${deadline('$3')})
      ON CONFLICT (sid) DO UPDATE SET sess = excluded.sess, expire = excluded.expire`,
    overwrite,
    overwriteSame: `${overwrite} AND ${same}`,
    touch: `UPDATE ${name} SET expire = ${deadline('$2')} WHERE sid = $1 AND ${live}`,
    extend: `UPDATE ${name} SET expire = GREATEST(expire, ${deadline('$2')}) WHERE sid = $1 AND ${live}`,
    remove: `DELETE FROM ${name} WHERE sid = $1 RETURNING ${live}`,
    page: `SELECT sid, sess::text, ${ttl} FROM ${name} WHERE sid > $1 AND expire > now() ORDER BY sid LIMIT ${PAGE}`,
    count: `SELECT count(*) FROM ${name} WHERE expire > now()`,
    clear: `DELETE FROM ${name} WHERE ${some(`true ORDER BY sid LIMIT ${PAGE} FOR UPDATE`)}`,
    // What somebody has locked stays until the next time.
    sweep: `DELETE FROM ${name} WHERE ${some(`expire <= now() LIMIT ${PAGE} FOR UPDATE SKIP LOCKED`)}`,
  };
}

export type StatementName = keyof ReturnType<typeof statements>;
