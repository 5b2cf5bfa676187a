import { BackendError, type Caller } from '@session-stores/core';
import type { Connections } from './connections.js';
import { isRivalled } from './failures.js';

/** A table as SQL names it, and how it keeps sessions. */
export interface Table {
  readonly name: string;
  /** The type of its column `sess`. */
  readonly json: 'json' | 'jsonb' | 'text';
}

/** The table; it is made when it is not there. Asked first, because making it wants a privilege even when it is. */
export async function openTable(
  connections: Connections,
  place: { readonly schema: string | undefined; readonly table: string },
  createTable: boolean,
  caller: Caller,
): Promise<Table> {
  const name = [place.schema, place.table]
    .flatMap((part) => (part === undefined ? [] : [quote(part)]))
    .join('.');
  const look = async () => {
    const { rows } = await connections.run(caller, { sql: COLUMNS, values: [name] });
    return new Map(rows.map(([column = '', type = '']) => [column, type]));
  };

  let columns = await look();
  if (columns.size === 0 && createTable) {
    await connections.run(caller, { sql: definition(name), changes: true }).catch((error: unknown) => {
      if (!isRivalled(error)) throw error;
    });
    columns = await look();
  }
  if (columns.size === 0) {
    const advice = createTable ? '' : ', and `createTable` is false';
    throw BackendError.refused(`there is no table ${name}${advice}`);
  }
  const wants = (column: string, ...types: string[]) => {
    const type = columns.get(column);
    if (type === undefined) throw BackendError.refused(`table ${name} has no column ${column}`);
    if (!types.includes(type))
      throw BackendError.refused(`column ${column} of table ${name} is of type ${type}`);
    return type;
  };
  wants('sid', 'character varying', 'text');
  wants('expire', 'timestamp without time zone', 'timestamp with time zone');
  const type = wants('sess', 'json', 'jsonb', 'text');
  return { name, json: type === 'json' || type === 'jsonb' ? type : 'text' };
}

const COLUMNS = `SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
  WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`;

/**
 * The layout of connect-pg-simple, but for the time zone: without one, a deadline is the wall clock's of the connection that wrote it,
 * and an hour of autumn comes twice. `COLLATE "C"` compares bytes, the same on every system.
 */
function definition(name: string): string {
  return `CREATE TABLE ${name} (
    sid varchar COLLATE "C" PRIMARY KEY,
    sess json NOT NULL,
    expire timestamptz(6) NOT NULL
  );
  CREATE INDEX ON ${name} (expire)`;
}

function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
