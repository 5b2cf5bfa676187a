import { BackendError, type Caller } from '@session-stores/core';
import type { Connections } from './connections.js';
import { isGone } from './failures.js';
import type { Reply } from './statement.js';

/** What the table and its columns are called. */
export interface Names {
  /** The schema, if one was given, and the table. */
  readonly table: readonly string[];
  readonly columns: { readonly id: string; readonly expires: string; readonly data: string };
}

/** What can be kept in a column. */
interface Column {
  /** As in `varchar`, without its size. */
  readonly type: string;
  readonly unsigned: boolean;
  readonly charset: string;
  readonly collation: string;
  /** In bytes, or in characters for `char` and `varchar`. */
  readonly size: number;
}

/** A table as it was found, and how SQL speaks of it. Values go in as UTF-8 bytes, whatever the connection's character set. */
export interface Table {
  readonly name: string;
  readonly id: string;
  readonly expires: string;
  readonly data: string;
  /** The unique index on ids. */
  readonly index: string;
  /** A placeholder for an id. */
  readonly idValue: string;
  /** The id's bytes, which compare exactly where the column does not. */
  readonly idBytes: string;
  /** A condition on the stored text, with a placeholder for another text. */
  readonly sameText: string;
  /** The same, with a placeholder for the other one's SHA-256. */
  readonly sameHash: string | undefined;
  /** The last moment that the deadline's column holds, in unix seconds. */
  readonly lastSecond: number;
  /** The bytes of an id; `undefined` when the column cannot hold it, so that no such session can be there. */
  encodeId(id: string): Buffer | undefined;
  /** The bytes of a text. @throws {BackendError} when the column cannot hold it. */
  encodeData(text: string): Buffer;
}

/** The table; it is made when it is not there. Asked first, because `CREATE TABLE IF NOT EXISTS` wants the privilege even when it is. */
export async function openTable(
  connections: Connections,
  names: Names,
  createTable: boolean,
  caller: Caller,
): Promise<Table> {
  const name = names.table.map(quote).join('.');
  const run = (sql: string) => connections.run(caller, { sql });
  const look = async () => {
    try {
      return await run(`SHOW FULL COLUMNS FROM ${name}`);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  };

  let columns = await look();
  if (columns === undefined && createTable) {
    await run(definition(name, names.columns));
    columns = await look();
  }
  if (columns === undefined) {
    const advice = createTable ? '' : ', and `createTable` is false';
    throw BackendError.refused(`there is no table ${names.table.join('.')}${advice}`);
  }
  return describe(name, names, columns, await run(`SHOW INDEX FROM ${name}`));
}

/** The layout of express-mysql-session, but for the id: `varbinary` alone compares exactly on every server. */
function definition(name: string, { id, expires, data }: Names['columns']): string {
  return `CREATE TABLE IF NOT EXISTS ${name} (
    ${quote(id)} varbinary(512) NOT NULL,
    ${quote(expires)} int unsigned NOT NULL,
    ${quote(data)} mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    PRIMARY KEY (${quote(id)}),
    KEY ${quote(expires)} (${quote(expires)})
  ) ENGINE = InnoDB`;
}

function describe(name: string, names: Names, columns: Reply, indexes: Reply): Table {
  const title = names.table.join('.');
  const column = (field: string, kinds: RegExp): Column => {
    const row = columns.rows.find((row) => sameName(row[0], field));
    if (row === undefined) throw BackendError.refused(`table ${title} has no column ${field}`);
    const [, type, collation] = row.map(String);
    const [, kind = '', size] = /^(\w+)(?:\((\d+)\))?/.exec(type ?? '') ?? [];
    if (!kinds.test(type ?? ''))
      throw BackendError.refused(`column ${field} of table ${title} is of type ${type}`);
    const charset = row[2] === null ? 'binary' : String(collation).replace(/_.*/, '');
    return {
      type: kind,
      unsigned: / unsigned/.test(String(type)),
      charset,
      collation: String(collation),
      size: SIZES[kind] ?? Number(size),
    };
  };
  const id = column(names.columns.id, /^var(char|binary)\(|^char\(/);
  const expires = column(names.columns.expires, /^(int|bigint)/);
  const data = column(names.columns.data, /text|blob|^json|^var(char|binary)/);
  const index = uniqueIndex(indexes, names.columns.id);
  if (index === undefined)
    throw BackendError.refused(
      `table ${title} needs a primary key or unique index on ${names.columns.id} alone`,
    );

  const quoted = {
    id: quote(names.columns.id),
    expires: quote(names.columns.expires),
    data: quote(names.columns.data),
  };
  const isBinary = id.charset === 'binary';
  const isJson = data.type === 'json';
  return {
    name,
    ...quoted,
    index: quote(index),
    // In the column's own character set and collation, so that its index serves.
    idValue: isBinary ? '?' : `CONVERT(CONVERT(? USING utf8mb4) USING ${id.charset}) COLLATE ${id.collation}`,
    // And then exactly.
    idBytes: isBinary ? quoted.id : `CAST(CONVERT(${quoted.id} USING utf8mb4) AS BINARY)`,
    sameText: isJson
      ? `${quoted.data} = CAST(CONVERT(? USING utf8mb4) AS JSON)`
      : `CAST(CONVERT(${quoted.data} USING utf8mb4) AS BINARY) = ?`,
    // The server stores JSON in a form of its own.
    sameHash: isJson ? undefined : `UNHEX(SHA2(CONVERT(${quoted.data} USING utf8mb4), 256)) = ?`,
    lastSecond: expires.type === 'int' && !expires.unsigned ? 2 ** 31 - 1 : 2 ** 32 - 1,
    // `char` loses spaces at the end.
    encodeId: (text) =>
      holds(id, text) && !(id.type === 'char' && text.endsWith(' ')) ? Buffer.from(text) : undefined,
    encodeData: (text) => {
      const bytes = Buffer.from(text);
      if (!holdsCharacters(data, text))
        throw BackendError.refused(
          `column ${names.columns.data} (${data.charset}) cannot hold all characters of the session`,
        );
      if (holds(data, text)) return bytes;
      throw BackendError.tooLarge(`column ${names.columns.data} (${data.type}, ${data.size}) takes`);
    },
  };
}

/** The sizes in bytes of types that do not name theirs. A longer text would be cut off, without an error in lax SQL modes. */
const SIZES: Readonly<Record<string, number>> = {
  tinytext: 2 ** 8 - 1,
  tinyblob: 2 ** 8 - 1,
  text: 2 ** 16 - 1,
  blob: 2 ** 16 - 1,
  mediumtext: 2 ** 24 - 1,
  mediumblob: 2 ** 24 - 1,
  longtext: 2 ** 32 - 1,
  longblob: 2 ** 32 - 1,
  json: 2 ** 32 - 1,
};

function holds(column: Column, text: string): boolean {
  if (!holdsCharacters(column, text)) return false;
  const inCharacters = column.charset !== 'binary' && column.type.endsWith('char');
  return (inCharacters ? [...text].length : Buffer.byteLength(text)) <= column.size;
}

function holdsCharacters({ charset, type }: Column, text: string): boolean {
  if (charset === 'binary' || charset === 'utf8mb4' || type === 'json') return true;
  return charset === 'utf8' || charset === 'utf8mb3'
    ? !/[\u{10000}-\u{10ffff}]/u.test(text)
    : /^\p{ASCII}*$/u.test(text);
}

/** The name of an index that lets each id be there once. */
function uniqueIndex({ rows }: Reply, column: string): string | undefined {
  const parts = rows.map(([, nonUnique, key, , field, , , subPart]) => ({ nonUnique, key, field, subPart }));
  const alone = parts.find(
    ({ nonUnique, key, field, subPart }) =>
      Number(nonUnique) === 0 &&
      subPart === null &&
      sameName(field, column) &&
      parts.filter((other) => other.key === key).length === 1,
  );
  return alone && String(alone.key);
}

/** Column names compare without case on every server. */
function sameName(found: unknown, wanted: string): boolean {
  return String(found).toLowerCase() === wanted.toLowerCase();
}

function quote(identifier: string): string {
  return `\`${identifier.replaceAll('`', '``')}\``;
}
