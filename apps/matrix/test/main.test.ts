import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requirements } from '@session-stores/conformance';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { afterAll, expect, test, vi } from 'vitest';
import type { Matrix } from '../src/matrix.js';
import { matrix } from './matrices.js';

// For a machine that does much else; each test takes a fraction of it.
vi.setConfig({ testTimeout: 120_000 });

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'matrix-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env } };
    const child = execFile(process.execPath, [main, ...args], options, (_error, output, errors) =>
      resolve({ code: child.exitCode ?? -1, output, errors }),
    );
  });
}

const read = (file: string) => readFileSync(join(folder, file), 'utf8');

test('judges stores by everything, and writes what it found in every form', async () => {
  const files = ['json', 'markdown', 'html'].flatMap((name) => [`--${name}`, join(folder, `all/${name}`)]);
  const { code, output } = await run(['--store', 'memory,express-session', ...files]);
  expect(output).toMatch(/^@session-stores\/memory \S+, memory: \d+ met \(\d+ s\)$/m);
  expect(output).toMatch(
    /^express-session 1\.19\.\d+, memory: \d+ met, \d+ SHOULD not met, \d+ MAY not met \(\d+ s\)$/m,
  );
  expect(code).toBe(0);

  const { requirements: asked, stores, notJudged }: Matrix = JSON.parse(read('all/json'));
  expect(asked.map(({ id }) => id)).toEqual(requirements.map(({ id }) => id));
  expect(stores.map(({ name, ours, results }) => [name, ours, results.length])).toEqual([
    ['memory', true, asked.length],
    ['express-session', false, asked.length],
  ]);
  expect(notJudged).toEqual([]);
  const [ours, theirs] = stores;
  expect(new Set(ours?.results.map(({ status }) => status))).toEqual(new Set(['pass', 'unsupported']));
  expect(theirs?.results.find(({ id }) => id === 'RACE-001')?.status).toBe('warn');
  expect(read('all/markdown')).toMatch(/^\| express-session 1\.19\.\d+ /m);
  expect(read('all/html')).toContain('express-session');

  // What was found before is all that it takes to write it again.
  const again = join(folder, 'again.md');
  await run(['--from', join(folder, 'all/json'), '--markdown', again]);
  expect(read('again.md')).toBe(read('all/markdown'));
});

describeOnServer('mariadb', 'on a server', ({ url }) => {
  test('says what a store does not meet', async () => {
    const json = join(folder, 'mariadb.json');
    const stores = ['--store', 'mariadb,express-mysql-session'];
    const { code, output } = await run(
      [...stores, '--only', 'CONTRACT-006,ids-004', '--only', 'IDS-004', '--json', json],
      {
        MARIADB_URL: url,
      },
    );
    expect(output).toMatch(/^@session-stores\/mysql \S+, mysql2 \S+, \S+ \S+: 2 met/m);
    expect(output).toMatch(
      /^express-mysql-session 3\.0\.3, mysql2 \S+, \S+ \S+: 1 met, 1 MUST not met .*\n {2}✗ IDS-004 MUST .*\n {4}When all are stored, \[ 'id' \] answers with 3 instead of 0/m,
    );
    expect(code).toBe(1);
    expect(read('mariadb.json')).not.toContain(url);
  });
});

test('names a store whose server is not to be had, and judges the others', async () => {
  const markdown = join(folder, 'without.md');
  const some = ['--store', 'redis,memory', '--only', 'contract-006', '--markdown', markdown];
  const { code, output } = await run(some, { REDIS_URL: '', SERVER_WAYS: 'url' });
  expect(output).toMatch(/^\? redis could not be judged: No redis server is to be had here\./m);
  expect(output).toMatch(/^@session-stores\/memory \S+, memory: 1 met/m);
  expect(read('without.md')).toContain('- redis: No redis server is to be had here.');
  expect(code).toBe(2);
});

test('takes from a file what counts for the exit code', async () => {
  const file = join(folder, 'hostile.json');
  writeFileSync(file, JSON.stringify(matrix));
  const { code, output } = await run(['--from', file]);
  expect(output).toContain(
    "reading the store's source, 2: memorystore/CONTRACT-006 connect-redis-10/IDS-010",
  );
  expect(code).toBe(1);
});

test('says how it is used', async () => {
  expect(await run(['--help'])).toMatchObject({ code: 0, output: expect.stringContaining('Usage: matrix ') });
});

test.each([
  [['--store', 'oracle'], "--store must be ours, peers, all or names of stores, got 'oracle'"],
  [['--level', 'could'], "--level must be must, should or may, got 'could'"],
  [['--only', 'RACE-999'], '--only: there is no requirement RACE-999, nor a group of that name'],
  [
    ['--level', 'must', '--only', 'RACE-001'],
    "--only must name what binds as much as --level must, got 'RACE-001'",
  ],
  [['--from', '/nowhere.json'], "--from must be a file that --json has written, got '/nowhere.json': ENOENT"],
  [['--from', main], `--from must be a file that --json has written, got '${main}': Unexpected token`],
  [['--from', '/nowhere.json', '--store', 'redis'], '--from judges nothing, got --store redis as well'],
  [['--wrong'], "Unknown option '--wrong'"],
])('ends with 2 and says why: %s', async (args, sentence) => {
  const { code, errors } = await run(args);
  expect(errors).toContain(sentence);
  expect(errors).toContain('Usage: matrix ');
  expect(code).toBe(2);
});
