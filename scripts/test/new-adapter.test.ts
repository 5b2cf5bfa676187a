import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from './workspaces.js';

const run = promisify(execFile);

/** A copy of the workspace, to write adapters into. */
let copy: string;

beforeAll(async () => {
  copy = await realpath(await mkdtemp(join(tmpdir(), 'session-stores-workspace-')));
  const left = new Set(['.git', '.turbo', 'results', 'node_modules']);
  await cp(root, copy, {
    recursive: true,
    preserveTimestamps: true,
    verbatimSymlinks: true,
    // What is installed for the whole is shared; each package's own are links into that, or to its neighbours.
    filter: (source) => !left.has(relative(root, source)) && !source.includes('node_modules/.'),
  });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
});

afterAll(() => rm(copy, { recursive: true }));

const node = (...args: string[]) => run(process.execPath, args, { cwd: copy });
const generate = (...args: string[]) => node('scripts/new-adapter.mjs', ...args);
const tool = (path: string, ...args: string[]) => node(join('node_modules', path), ...args);

/** Does what installing does for a new package whose dependencies are there already. */
async function install(name: string): Promise<void> {
  const folder = join(copy, 'packages', name);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  for (const dependency of Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })) {
    const link = join(folder, 'node_modules', dependency);
    await mkdir(dirname(link), { recursive: true });
    const neighbour = join(copy, dependency.replace('@session-stores/', 'packages/'));
    const shared = await realpath(join(root, 'packages/test-kit/node_modules', dependency)).catch(() => '');
    await symlink(existsSync(neighbour) ? neighbour : shared, link);
  }
}

interface Results {
  testResults: { assertionResults: { title: string; status: string; failureMessages: string[] }[] }[];
}

/** Runs tests in the copy. */
async function results(...args: string[]) {
  // Those of the run that this is part of are not for it.
  const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env;
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...args];
  await run(process.execPath, vitest, { cwd: copy, env, maxBuffer: 2 ** 26 }).catch(() => {});
  const written: Results = JSON.parse(readFileSync(join(copy, 'results/vitest.json'), 'utf8'));
  return written.testResults.flatMap(({ assertionResults }) => assertionResults);
}

test('a new adapter builds, is part of the workspace, and fails only where it is not written', {
  timeout: 180_000,
}, async () => {
  await generate('novel', '--class', 'NoVel');
  await install('novel');
  await tool(
    '@biomejs/biome/bin/biome',
    'check',
    '--error-on-warnings',
    '--vcs-enabled=false',
    'packages/novel',
  );
  await tool('typescript/bin/tsc', '-b', 'packages/novel', 'packages/novel/test');

  const wiring = await results('--project', 'repo', 'packages.test', 'docs.test');
  expect(wiring.filter(({ status }) => status === 'failed')).toEqual([]);

  const own = await results('--project', 'novel');
  const failed = own.filter(({ status }) => status === 'failed');
  for (const { title, failureMessages } of failed) {
    expect(failureMessages.join('\n'), title).toMatch(/\w+ is not written yet/);
  }
  const passed = own.filter(({ status }) => status === 'passed').map(({ title }) => title);
  expect(failed.length).toBeGreaterThan(100);
  expect(passed).toContainEqual(expect.stringContaining('CONTRACT-002'));
});

test('with a server of its own, its tests say why they were not run', { timeout: 180_000 }, async () => {
  await generate('served', '--server');
  await install('served');
  await tool('typescript/bin/tsc', '-b', 'packages/served/test', 'packages/test-servers/test');
  const { stdout } = await node(
    '-e',
    `
    import('./packages/test-servers/dist/index.js').then(({ startServer }) => startServer('served')).catch((e) => console.log(e.message))
  `,
  );
  expect(stdout).toContain('binary: no served on PATH');
  expect(stdout).toContain('fetched: where to fetch it from is not written yet');
  expect(stdout).toContain('What helps: set SERVED_URL');
});

test.each([
  [[], 'give one name, got 0'],
  [['one', 'two'], 'give one name, got 2'],
  [['Redis'], "the name must be up to 30 lower-case letters and digits, a letter first, got 'Redis'"],
  [['../evil'], "got '../evil'"],
  [['new', '--class', 'new'], "--class must be letters and digits, a capital letter first, got 'new'"],
  [['redis'], 'there is packages/redis already: choose another name'],
  [['demo'], 'there is apps/demo already: choose another name'],
  [['novel2', '--sever'], "Unknown option '--sever'"],
])('refuses %j', async (args, problem) => {
  const before = readFileSync(join(copy, 'tsconfig.json'), 'utf8');
  await expect(generate(...args)).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining(problem),
  });
  expect(readFileSync(join(copy, 'tsconfig.json'), 'utf8')).toBe(before);
});
