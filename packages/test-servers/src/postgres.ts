import { readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { fromDebian } from './debian.js';
import { images } from './images.js';
import { type Program, runnable } from './program.js';
import type { Recipe } from './recipe.js';

const LIBRARY = 'usr/lib/postgresql';

export const postgres: Recipe = {
  title: 'PostgreSQL',
  urlVariable: 'POSTGRES_URL',
  protocols: ['postgres:', 'postgresql:'],
  imageVariable: 'POSTGRES_IMAGE',
  image: images.postgres[0],
  containerPort: 5432,
  command: 'postgres',

  local,

  // Every release of Debian and Ubuntu has one version, in a package and a folder of that name.
  fetch: (log) =>
    fromDebian('postgres', ['^postgresql-[0-9]+$'], `${LIBRARY}/bin/postgres`, log, async (root) => {
      const [newest = ''] = await versions(join(root, LIBRARY));
      await symlink(`${newest}/bin`, join(root, LIBRARY, 'bin'));
    }),

  args: ({ host, port, directory, persist, args }) => [
    ...['-D', `${directory}/postgres/data`, '-h', host, '-p', `${port}`, '-k', ''],
    ...['-c', 'shared_buffers=16MB'],
    ...(persist ? [] : ['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off']),
    ...args,
  ],

  // It refuses to run as root: then it runs as nobody, in a folder of its own. Where nobody may not look, in a cache folder in
  // root's home, say, it is allowed to all the same. The data directory is made in one step that either happens or does not.
  prepare: ({ directory }) => `
    own="${directory}/postgres" data="${directory}/postgres/data"
    bin=$(dirname "$(readlink -f "$(command -v "$0")")")
    mkdir -p "$own"
    as=
    if [ "$(id -u)" = 0 ]; then
      as="setpriv --reuid=65534 --regid=65534 --clear-groups"
      chown 65534:65534 "$own"
      $as test -r "$bin/initdb" && $as test -w "$own" ||
        as="$as --securebits=+no_setuid_fixup --inh-caps=+dac_override --ambient-caps=+dac_override"
    fi
    if ! [ -d "$data" ]; then
      rm -rf "$data.new"
      $as "$bin/initdb" --pgdata="$data.new" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync
      echo 'host all all all trust' >> "$data.new/pg_hba.conf"
      echo 'CREATE DATABASE sessions' | $as "$bin/postgres" --single -D "$data.new" postgres
      mv "$data.new" "$data"
    fi
    # One that was killed leaves a lock that names it, which counts until its parent has buried it, or for whoever got its number.
    locked() { [ "$(readlink "/proc/$(head -n 1 "$data/postmaster.pid")/cwd")" = "$(readlink -f "$data")" ]; }
    if [ -f "$data/postmaster.pid" ]; then
      for attempt in 1 2 3 4 5 6 7 8 9 10; do locked || break; sleep 0.2; done
      locked || rm -f "$data/postmaster.pid"
    fi
    [ -z "$as" ] || exec $as "$0" "$@"`,

  url: (host, port) => `postgres://postgres@${host}:${port}/sessions`,

  async probe(url) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 1000, query_timeout: 1000 });
    // What is wrong with the connection is also what the call answers.
    client.on('error', () => {});
    try {
      await client.connect();
      const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
      return String(rows[0]?.server_version).replace(/ .*/, '');
    } finally {
      await client.end();
    }
  },
};

/** Debian keeps it where nobody looks. */
async function local(): Promise<Program> {
  try {
    return await runnable('postgres');
  } catch (error) {
    const [newest] = await versions(`/${LIBRARY}`).catch(() => []);
    if (newest === undefined) throw error;
    return runnable(`/${LIBRARY}/${newest}/bin/postgres`);
  }
}

/** The folders of its versions, the newest first. */
async function versions(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a));
}
