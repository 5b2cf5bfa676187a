import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import session from 'express-session';
import { expect, onTestFinished, test } from 'vitest';
import type { Elsewhere } from '../src/harness.js';
import { judge } from '../src/judge.js';
import { requirements } from '../src/requirements/index.js';

const url = (path: string) => new URL(path, import.meta.url).href;

/** A store that tells the process it was opened in, and a way to see whether that is there. */
function traceable() {
  const folder = mkdtempSync(join(tmpdir(), 'session-stores-conformance-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'pid');
  const elsewhere: Elsewhere = { module: url('fixtures/pid.mjs'), options: { path } };
  return { elsewhere, isThere: () => isAlive(Number(readFileSync(path, 'utf8'))) };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function judged(elsewhere: Elsewhere) {
  const [requirement] = requirements.filter(({ id }) => id === 'CAPABILITY-001');
  if (requirement === undefined) throw new Error('no such requirement');
  const harness = () => ({ store: new session.MemoryStore(), capabilities: { shared: false }, elsewhere });
  return judge(requirement, harness);
}

test('the other process ends with the requirement', async () => {
  const { elsewhere, isThere } = traceable();
  expect(await judged(elsewhere)).toMatchObject({ status: 'pass' });
  expect(isThere()).toBe(false);
});

test('the other process ends when the suite is killed', async () => {
  const { elsewhere, isThere } = traceable();
  const code = `
    const { serveElsewhere } = await import(${JSON.stringify(url('../dist/elsewhere.js'))});
    await serveElsewhere(${JSON.stringify({ ...elsewhere, session: {} })});
    console.log('served');`;
  const suite = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => suite.stdout.once('data', resolve));
  expect(isThere()).toBe(true);
  suite.kill('SIGKILL');
  await expect.poll(isThere, { timeout: 20_000 }).toBe(false);
});

test('a module that does not open a store is the error of the harness', async () => {
  expect(await judged({ module: url('fixtures/none.mjs') })).toMatchObject({
    status: 'error',
    evidence: expect.stringMatching(/elsewhere: .*Cannot find module/s),
  });
});
