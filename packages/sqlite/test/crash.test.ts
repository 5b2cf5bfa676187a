import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { connect, open, uniqueFile } from './helpers.js';

/** Every seventh version of a session is destroyed. */
const LIVES = 7;

/** Writes sessions for ever, several at a time, and says what has been acknowledged, as soon as it has been. */
const writer = `
  import { writeSync } from 'node:fs';
  import { SQLiteStore } from ${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)};
  const [file, name, first] = process.argv.slice(1);
  const store = new SQLiteStore({ file, timeoutMs: 60_000, sweepInterval: 0.05 });
  const cookie = { originalMaxAge: null, path: '/' };
  async function write(id) {
    for (let n = Number(first); ; n++) {
      await store.set(id, { cookie, n, text: 'x'.repeat(n % 3000) });
      writeSync(1, id + ' ' + n + ' stored\\n');
      if (n % ${LIVES} !== 0) continue;
      await store.destroy(id);
      writeSync(1, id + ' ' + n + ' destroyed\\n');
    }
  }
  for (let n = 0; n < 8; n++) write(name + n);
`;

interface Acknowledged {
  readonly n: number;
  readonly what: string;
}

/** Runs a writer until it has said so many lines, and kills it in the middle of its work. */
async function runAndKill(file: string, name: string, first: number, lines: number) {
  const args = ['--input-type=module', '--eval', writer, file, name, `${first}`];
  const child = spawn(process.execPath, args, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exit = once(child, 'exit');
  const acknowledged = new Map<string, Acknowledged>();
  let said = 0;
  for await (const line of createInterface(child.stdout)) {
    const [id = '', n, what = ''] = line.split(' ');
    acknowledged.set(id, { n: Number(n), what });
    said += 1;
    if (said === lines) child.kill('SIGKILL');
  }
  expect((await exit)[1]).toBe('SIGKILL');
  return acknowledged;
}

test('two processes on one file, killed at any moment, lose nothing that was acknowledged', {
  timeout: 120_000,
}, async () => {
  const file = uniqueFile();
  const store = open({ file });
  for (let round = 0; round < 10; round++) {
    const first = round * 1_000_000 + 1;
    const moment = () => 20 + Math.floor(Math.random() * 150);
    const all = await Promise.all(['a', 'b'].map((name) => runAndKill(file, name, first, moment())));
    for (const [id, { n, what }] of all.flatMap((each) => [...each])) {
      const session = await store.get(id);
      const found = session === null ? 'none' : Number(Reflect.get(session, 'n'));
      const seen = `${id} was ${what} as ${n}, and now is ${found}`;
      if (found === 'none') expect(n % LIVES === 0, seen).toBe(true);
      else expect(found >= n + (what === 'destroyed' ? 1 : 0), seen).toBe(true);
    }
    expect(connect(file).pragma('integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  }
});
