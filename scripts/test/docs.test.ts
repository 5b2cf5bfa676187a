import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MySQLStore } from '@session-stores/mysql';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { createPool, type RowDataPacket } from 'mysql2/promise';
import { expect, onTestFinished, test } from 'vitest';
import { blocksOf, compile, documents, modulesOf, read } from './docs.js';
import { root } from './workspaces.js';

const blocks = documents.flatMap(blocksOf);

test('the code in the docs compiles', { timeout: 120_000 }, async () => {
  const folder = await compile(blocks.flatMap(modulesOf));
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

/** How the blocks that are no TypeScript are known to be right. */
const languages: Record<string, string> = {
  js: 'scripts/test/migrating.test.ts',
  lua: 'packages/redis/test/backend.test.ts',
  sh: 'scripts/test/docs.test.ts',
  sql: 'scripts/test/docs.test.ts',
  text: 'packages/conformance/test/readme.test.ts',
};

/** The commands that the docs tell, and what runs them. */
const commands: Record<string, string> = {
  'npm start': 'scripts/test/fresh-copy.test.ts',
  'SESSION_STORE=redis npm start': 'scripts/test/fresh-copy.test.ts',
  'SESSION_STORE=redis REDIS_URL=redis://localhost:6379 npm start': 'apps/demo/test/process.test.ts',
  'SESSION_STORE=memory|redis|mysql|mongo|postgres|sqlite npm start': 'apps/demo/test/process.test.ts',
  'npm test': '.ci/run',
  'npm run new-adapter novel': 'scripts/test/new-adapter.test.ts',
  'npm run new-adapter novel -- --class NoVel': 'scripts/test/new-adapter.test.ts',
  'npm run new-adapter novel -- --server': 'scripts/test/new-adapter.test.ts',
  'npx vitest run --project novel': 'scripts/test/new-adapter.test.ts',
  'npx vitest run --project novel conformance -t CONTRACT': 'scripts/test/new-adapter.test.ts',
  'node packages/test-servers/dist/cli.js novel': 'packages/test-servers/src/cli.ts',
  'npm run races -- --store redis': 'apps/races/test/main.test.ts',
  'npm run races -- --store ours --rounds 1000 --skew 300': 'apps/races/test/races.test.ts',
  "npm run races -- --store peers --rounds 1000 --seed 20261122 --scenario 'logout while a slow request changes the session'":
    'apps/races/test/races.test.ts',
  "npm run races -- --store peers --rounds 1000 --seed 20261122 --scenario 'two items into a cart'":
    'apps/races/test/races.test.ts',
  'npm run races -- --cost': 'apps/races/test/cost.test.ts',
  'npm run matrix -- --json docs/matrix.json --markdown docs/matrix.md --html docs/matrix.html':
    'apps/matrix/test/main.test.ts',
  'npm run matrix -- --from docs/matrix.json --markdown docs/matrix.md --html docs/matrix.html':
    'apps/matrix/test/docs.test.ts',
  'npm run matrix -- --store connect-redis-10 --only RACE-001': 'apps/matrix/test/main.test.ts',
  'npm init --yes': 'scripts/test/outside.test.ts',
  'npm pkg set type=module': 'scripts/test/outside.test.ts',
  'npm install express-session @session-stores/core': 'scripts/test/outside.test.ts',
  'npm install --save-dev @session-stores/conformance @types/express-session @types/node typescript':
    'scripts/test/outside.test.ts',
  'npx tsc novel-store.ts --strict --target es2023 --module nodenext --declaration':
    'scripts/test/outside.test.ts',
  'node --test': 'scripts/test/outside.test.ts',
  'npm install --save-dev @session-stores/conformance express-session': 'scripts/test/outside.test.ts',
  'npx @session-stores/conformance harness.js': 'packages/conformance/test/readme.test.ts',
  'npx @session-stores/conformance harness.js --only CALLBACK-010':
    'packages/conformance/test/readme.test.ts',
  'pnpm --filter @session-stores/conformance requirements-page':
    'packages/conformance/test/requirements.test.ts',
  'pnpm --filter @session-stores/conformance kill-table': 'packages/conformance/test/mutants.test.ts',
  'npx vitest run --project redis': 'packages/redis/package.json',
  'npx vitest run --project repo crash': 'scripts/test/crash.test.ts',
  'npx tsc -b': 'scripts/test/fresh-copy.test.ts',
  'npx biome check --write': 'scripts/test/fresh-copy.test.ts',
  'REDIS_URL=redis://localhost MYSQL_URL=mysql://me:secret@localhost/app node move.mjs redis mysql':
    'scripts/test/migrating.test.ts',
};

test('the commands in the docs are those that are known to run', () => {
  const printed = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) => code.split('\n'))
    .map((line) => line.replace(/\s+#.*/, ''))
    .filter((line) => line !== '');
  const mentioned = documents
    .flatMap((document) => [...read(document).matchAll(/`((?:\w+=\S+ )*(?:npm|npx|node) [^`]+)`/g)])
    .map(([, command = '']) => command);
  expect([...new Set([...printed, ...mentioned])].sort()).toEqual(Object.keys(commands).sort());
});

test('the blocks in the docs are of languages that are known to be tried', () => {
  const tried = ['ts', 'diff', ...Object.keys(languages)];
  expect(blocks.filter(({ language }) => !tried.includes(language))).toEqual([]);
  const witnesses = [...Object.values(languages), ...Object.values(commands)];
  expect(witnesses.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});

test.for(documents)('the links of %s lead somewhere', (document) => {
  const links = [...read(document).matchAll(/\]\((?!https?:)([^)]*)\)/g)].map(([, link = '']) => link);
  const broken = links.filter((link) => {
    const [path = '', anchor] = link.split('#');
    const target = join(dirname(document), path);
    if (path !== '' && !existsSync(join(root, target))) return true;
    const headings = anchor === undefined ? [] : read(path === '' ? document : target).match(/^#+ .*$/gm);
    return anchor !== undefined && !headings?.some((heading) => anchorOf(heading) === anchor);
  });
  expect(broken).toEqual([]);
});

function anchorOf(heading: string): string {
  const words = heading.replace(/^#+ /, '').toLowerCase();
  return words.replace(/[^\w\- ]/g, '').replaceAll(' ', '-');
}

for (const name of ['mariadb', 'mysql'] as const) {
  describeOnServer(name, `the table in the docs, on ${name}`, ({ url }) => {
    test('is the one that the store makes', async () => {
      const database = `docs_${process.pid}`;
      const server = createPool({ uri: url, multipleStatements: true });
      onTestFinished(async () => {
        await server.query(`DROP DATABASE ${database}`);
        await server.end();
      });
      await server.query(`CREATE DATABASE ${database}`);
      const pool = createPool({ uri: Object.assign(new URL(url), { pathname: database }).href });
      onTestFinished(() => pool.end());
      const made = async () => (await pool.query<RowDataPacket[]>('SHOW CREATE TABLE sessions'))[0];

      await new MySQLStore({ pool }).length();
      const ours = await made();
      await pool.query('DROP TABLE sessions');
      const block = blocksOf('packages/mysql/README.md').find(({ language }) => language === 'sql');
      await pool.query(block?.code ?? '');
      expect(await made()).toEqual(ours);
    });
  });
}
