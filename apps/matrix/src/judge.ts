import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { audit, type Product, type Requirement, reportOf } from '@session-stores/conformance';
import { driverOf, productOf, type StoreKind, type StoreName, storeKind } from '@session-stores/every-store';
import { startServer } from '@session-stores/test-servers';
import type { Judged } from './matrix.js';

/** Also from the sources: a process of its own runs what was built. */
const harness = new URL('../dist/harness.js', import.meta.url);
const root = fileURLToPath(new URL('../../..', import.meta.url));

const titles = {
  redis: 'Redis',
  mariadb: 'MariaDB',
  mysql: 'MySQL',
  postgres: 'PostgreSQL',
  mongo: 'MongoDB',
};

interface Home extends AsyncDisposable {
  readonly url: string;
  readonly server: Product;
}

/** The server that a store needs, or a folder, or nothing. */
async function homeOf({ server: name, inFolder }: StoreKind): Promise<Home> {
  if (name !== undefined) {
    const server = await startServer(name);
    const { url, version } = server;
    return { url, server: { name: titles[name], version }, [Symbol.asyncDispose]: () => server.stop() };
  }
  if (!inFolder) return { url: '', server: { name: 'memory' }, [Symbol.asyncDispose]: async () => {} };
  const url = await mkdtemp(join(tmpdir(), 'session-stores-matrix-'));
  const remove = () => rm(url, { recursive: true, force: true });
  return { url, server: { name: 'files' }, [Symbol.asyncDispose]: remove };
}

/**
 * Judges a store on its real server.
 *
 * @throws ServerUnavailableError where there is none to be had.
 * @throws UnfitHarness when the store cannot be opened there.
 */
export async function judge(
  name: StoreName,
  asked: readonly Requirement[],
  onResult: () => void,
): Promise<Judged> {
  const kind = storeKind(name);
  await using home = await homeOf(kind);
  process.env['MATRIX_URL'] = home.url;
  const start = performance.now();
  const only = asked.map(({ id }) => id);
  const results = await audit(new URL(`?store=${name}`, harness), { only, onResult });
  const seconds = Math.round((performance.now() - start) / 1000);
  const driver = driverOf(kind);
  const about = { store: productOf(kind.package), server: home.server };
  const { totals: _, ...report } = reportOf([], about);
  return {
    ...{ name, ours: kind.ours, ...report, ...(driver && { driver }), seconds },
    results: results.map(({ id, status, evidence, ms }) => {
      return { id, status, evidence: withoutPlaces(evidence, home.url), ms };
    }),
  };
}

/** Errors tell where this repository is, and the folder or server, which says nothing elsewhere; its URL may have a password. */
function withoutPlaces(evidence: string, url: string): string {
  const places = [`file://${root}`, root, ...(url === '' ? [] : [`${url}/`, url])];
  return places.reduce((text, place) => text.replaceAll(place, ''), evidence);
}
