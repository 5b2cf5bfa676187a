import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Block, blocksOf } from './docs.js';
import { publicPackages, readJson, root } from './workspaces.js';

const run = promisify(execFile);
const packed = publicPackages
  .map(({ manifest }) => manifest.name)
  .filter((name) => /core|memory|conformance/.test(name));

/** The blocks for somebody who writes an adapter in a repository of their own. */
const guide = blocksOf('docs/adding-an-adapter.md').filter(
  ({ line }) => line > lineOf('## In a repository of your own'),
);
const commands = guide.filter(({ language }) => language === 'sh').map(({ code }) => code.trim().split('\n'));

function lineOf(heading: string): number {
  return readFileSync(join(root, 'docs/adding-an-adapter.md'), 'utf8').split('\n').indexOf(heading) + 1;
}

/** Where the packages are, packed as they would be published, and where that somebody works. */
let tarballs: string;
let project: string;

beforeAll(async () => {
  tarballs = await mkdtemp(join(tmpdir(), 'session-stores-tarballs-'));
  project = await mkdtemp(join(tmpdir(), 'session-stores-outside-'));
  const { packageManager } = readJson<{ packageManager: string }>('package.json');
  const filters = packed.map((name) => `--filter=${name}`);
  const pnpm = ['--yes', '--prefer-offline', packageManager, ...filters];
  await run('npx', [...pnpm, 'pack', '--pack-destination', tarballs], { cwd: root });
  await write(project, guide);
  const [setUp = []] = commands;
  for (const command of setUp) await succeeds(await published(command));
  await succeeds(await published('npm install @session-stores/memory'));
}, 180_000);

afterAll(async () => {
  for (const folder of [tarballs, project]) await rm(folder, { recursive: true });
});

/** Writes the blocks that begin with the name of their file. */
async function write(folder: string, blocks: readonly Block[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { code } of blocks) {
    const name = /^\/\/ (\S+)\n/.exec(code)?.[1];
    if (name !== undefined) await writeFile(join(folder, name), code);
  }
}

/** The command, once our packages are published: until then they come from tarballs. All others are of the versions that are used here. */
async function published(command: string): Promise<string> {
  if (!command.startsWith('npm install ')) return command;
  const files = await readdir(tarballs);
  const words = command.split(' ').map((word, index) => {
    if (index < 2 || word.startsWith('-')) return word;
    const tarball = files.find((file) => file.startsWith(`${word.slice(1).replace('/', '-')}-`));
    if (tarball !== undefined) return join(tarballs, tarball);
    return `${word}@${readJson<{ version: string }>(`node_modules/${word}/package.json`).version}`;
  });
  return [...words, '--prefer-offline'].join(' ');
}

/** Runs a command there, as in a shell of its own. */
async function attempt(command: string, cwd = project): Promise<{ code: unknown; output: string }> {
  // What this run of tests was started with is not for it: its options, and the folder that npm takes for its own.
  const {
    NODE_OPTIONS: _,
    npm_config_local_prefix: __,
    VITEST: ___,
    FORCE_COLOR: ____,
    ...env
  } = process.env;
  return run('sh', ['-c', command], { cwd, env }).then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    ({ code, stdout, stderr }) => ({ code, output: `${stdout}${stderr}` }),
  );
}

async function succeeds(command: string): Promise<string> {
  const { code, output } = await attempt(command);
  expect(code, `${command}: ${output}`).toBe(0);
  return output;
}

test('what is packed depends on nothing of this workspace', async () => {
  for (const name of packed) {
    const folder = join(project, 'node_modules', name);
    expect(readFileSync(join(folder, 'package.json'), 'utf8')).not.toMatch(/workspace:|catalog:/);
    expect(await readdir(folder)).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'dist', 'src']));
  }
});

test('the adapter of the guide type-checks, and meets every requirement by each way that the guide tells', {
  timeout: 120_000,
}, async () => {
  const [, [compile = '', judge = '', ...others] = []] = commands;
  expect(others).toEqual(['node --test']);
  await succeeds(compile);
  expect(await succeeds(judge)).toMatch(/^NovelStore\n[\s\S]*\d passed, 13 unsupported: every MUST/);
  expect(await succeeds('node --test')).toMatch(/fail 0\n/);
});

test('a CommonJS application in TypeScript takes the packages and the adapter', async () => {
  await writeFile(
    join(project, 'application.cts'),
    `import session = require('express-session');
import { audit, type Report, reportOf } from '@session-stores/conformance';
import { StoreError } from '@session-stores/core';
import { MemoryStore } from '@session-stores/memory';
import { NovelStore } from './novel-store.js';

const stores: session.Store[] = [new NovelStore(new Map()), new MemoryStore({ maxSessions: 10 })];
async function main(): Promise<void> {
  for (const store of stores) {
    const results = await audit(() => store, { only: ['CONTRACT-001'] });
    const report: Report = reportOf(results, { store: { name: store.constructor.name } });
    console.log(report.store.name, report.totals.pass);
  }
  await new NovelStore(new Map()).get('').catch((error: unknown) => {
    console.log(error instanceof StoreError && error.code);
  });
}
void main();
`,
  );
  await succeeds('npx tsc application.cts --strict --target es2023 --module nodenext --types node');
  expect(await succeeds('node application.cjs')).toBe('NovelStore 1\nMemoryStore 1\nINVALID_ID\n');
});

test('a store that breaks the contract is told what is wrong', { timeout: 60_000 }, async () => {
  const plain = join(project, 'plain');
  await write(plain, blocksOf('packages/conformance/README.md'));
  const { code, output } = await attempt('npx @session-stores/conformance harness.js', plain);
  expect(output).toMatch(/^✗ CALLBACK-010 MUST destroy works without a callback$/m);
  expect(output).toMatch(/\d of \d+ MUST not met$/m);
  expect(code).toBe(1);
});

test('a module that makes no store is refused', async () => {
  await writeFile(join(project, 'no-harness.js'), 'export const store = {};\n');
  const { code, output } = await attempt('npx @session-stores/conformance no-harness.js');
  expect(output).toMatch(/no-harness\.js makes no store that could be judged/);
  expect(code).toBe(2);
});
