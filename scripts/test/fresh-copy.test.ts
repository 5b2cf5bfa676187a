import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '@session-stores/test-servers';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { root } from './workspaces.js';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'session-stores-copy-'));
const copy = join(folder, 'session-stores');
const cache = join(folder, 'cache');

/** What a clone would have, and with what has been downloaded before; what the demo keeps is its own. */
beforeAll(async () => {
  const { stdout } = await run('git', ['ls-files', '-z', '-co', '--exclude-standard'], {
    cwd: root,
  });
  for (const file of stdout.split('\0').filter((name) => name !== '' && existsSync(join(root, name)))) {
    cpSync(join(root, file), join(copy, file));
  }
  mkdirSync(cache);
  for (const name of readdirSync(cacheFolder())) {
    if (name !== 'demo') symlinkSync(join(cacheFolder(), name), join(cache, name));
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const env = { ...process.env, SESSION_STORES_CACHE: cache, NODE_ENV: '' };

function start(command: string): { child: ChildProcess; output: () => string } {
  // A process group of its own, as from a terminal.
  const child = spawn(command, { cwd: copy, env, shell: true, detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null && child.pid) {
      process.kill(-child.pid, 'SIGTERM');
      await once(child, 'exit');
    }
  });
  return { child, output: () => output };
}

describe('in a fresh copy', { timeout: 240_000 }, () => {
  test.for([
    ['npm run matrix -- --store memory --only CONTRACT-001', /memory.*: 1 met/],
    ['npm run races -- --store memory --rounds 1 --seed 1', /\| memory +\| +41 \| +0 \| +0 \| +0 \|/],
  ] as const)('`%s` gets what it needs', async ([command, printed]) => {
    const { stdout } = await run('sh', ['-c', command], { cwd: copy, env });
    expect(stdout).toMatch(printed);
  });

  test.for(['npm start', 'SESSION_STORE=redis npm start'])('`%s` serves the demo', async (command) => {
    const { child, output } = start(command);
    const printed = /demo: (http:\S+)/;
    await expect
      .poll(() => (child.exitCode === null ? output() : expect.fail(output())), { timeout: 200_000 })
      .toMatch(printed);
    const [, address = ''] = printed.exec(output()) ?? [];
    await expect.poll(async () => (await fetch(`${address}/health`)).status).toBe(200);
    expect(await (await fetch(`${address}/api/session`)).json()).toMatchObject({ views: 1 });
    process.kill(-(child.pid ?? 0), 'SIGINT');
    // With the last process that holds its output.
    await once(child, 'close');
  });

  test.for(['npx tsc -b', 'npx biome check --write'])('`%s` finds nothing to do', async (command) => {
    await run('sh', ['-c', command], { cwd: copy, env });
  });
});
