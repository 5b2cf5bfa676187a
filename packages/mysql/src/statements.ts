import type { Table } from './table.js';

/** Rows in one step of a walk, and deleted in one step of `clear` and `sweep`. */
export const PAGE = 200;

/** Unix milliseconds, whatever the time zone: `UNIX_TIMESTAMP(NOW(3))` is an hour off when clocks go back. */
const NOW_MS = '(UNIX_TIMESTAMP() * 1000 + MICROSECOND(NOW(6)) DIV 1000)';

/** What an insert reports in place of a row id when it met another session's id, and what an update reports when it met its row. */
export const COLLIDED = 4_294_967_291;
export const MATCHED = 1;

export type StatementName = keyof ReturnType<typeof statements>;

/** The statements on a table. `affectedRows` of an update depends on the connection's flags; what `LAST_INSERT_ID` is told does not. */
export function statements(table: Table) {
  const { name, id, expires, data, idValue, idBytes, index } = table;
  const deadline = `LEAST((${NOW_MS} + CAST(? AS UNSIGNED)) DIV 1000, ${table.lastSecond})`;
  const live = `${expires} > UNIX_TIMESTAMP()`;
  const ttl = `CAST(${expires} AS SIGNED) * 1000 - CAST(${NOW_MS} AS SIGNED)`;
  const text = `CAST(CONVERT(${data} USING utf8mb4) AS BINARY)`;
  const dataValue = 'CONVERT(? USING utf8mb4)';
  const itsRow = `${id} = ${idValue} AND ${idBytes} = ?`;
  const matched = `IF(LAST_INSERT_ID(${MATCHED}), `;
  const overwrite = `UPDATE ${name} SET ${data} = ${dataValue}, ${expires} = ${matched}${deadline}, 0) WHERE ${itsRow} AND ${live}`;
  const page = `SELECT ${idBytes}, ${text}, ${ttl} FROM ${name} FORCE INDEX (${index}) WHERE ${live}`;
  return {
    read: `SELECT ${text}, ${ttl} FROM ${name} WHERE ${itsRow} AND ${live}`,
    create: `INSERT INTO ${name} (${id}, ${data}, ${expires})
      VALUES (${idValue}, ${dataValue}, ${deadline})
      ON DUPLICATE KEY UPDATE
        ${data} = IF(${idBytes} = ?, VALUES(${data}), ${data}),
        ${expires} = IF(${idBytes} = ?, VALUES(${expires}), ${expires} + 0 * LAST_INSERT_ID(${COLLIDED}))`,
    overwrite,
    overwriteSameText: `${overwrite} AND ${table.sameText}`,
    overwriteSameHash: `${overwrite} AND ${table.sameHash}`,
    touch: `UPDATE ${name} SET ${expires} = ${matched}${deadline}, 0) WHERE ${itsRow} AND ${live}`,
    extend: `UPDATE ${name} SET ${expires} = ${matched}GREATEST(${expires}, ${deadline}), 0) WHERE ${itsRow} AND ${live}`,
    removeLive: `DELETE FROM ${name} WHERE ${itsRow} AND ${live}`,
    remove: `DELETE FROM ${name} WHERE ${itsRow}`,
    firstPage: `${page} ORDER BY ${id} LIMIT ${PAGE}`,
    nextPage: `${page} AND ${id} > ${idValue} ORDER BY ${id} LIMIT ${PAGE}`,
    count: `SELECT COUNT(*) FROM ${name} WHERE ${live}`,
    clear: `DELETE FROM ${name} ORDER BY ${id} LIMIT ${PAGE}`,
    expired: `SELECT ${idBytes} FROM ${name} WHERE NOT ${live} LIMIT ${PAGE}`,
    removeExpired: `DELETE FROM ${name} WHERE ${id} = ${idValue} AND NOT ${live}`,
    removeExpiredPage: `DELETE FROM ${name} WHERE ${id} IN (${Array(PAGE).fill(idValue).join()}) AND NOT ${live}`,
  };
}
