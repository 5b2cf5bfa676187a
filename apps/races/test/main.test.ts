import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { afterAll, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'races-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(...args: string[]): Promise<{ code: number; output: string; errors: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], (_error, output, errors) =>
      resolve({ code: child.exitCode ?? -1, output, errors }),
    );
  });
}

const logout = 'logout while a slow request changes the session';

test('says what was lost, and how, in a table and as JSON', async () => {
  const json = join(folder, 'found.json');
  const { code, output } = await run(
    ...['--store', 'memory,express-session', '--scenario', logout],
    ...['--rounds', '30', '--seed', '1', '--json', json],
  );
  expect(code).toBe(1);
  expect(output).toMatch(new RegExp(`\\| memory, .*\n.*\n\\| ${logout} +\\| +30 \\| +0 \\| +0 \\| +0 \\|`));
  expect(output).toMatch(
    new RegExp(`\\| express-session, .*\n.*\n\\| ${logout} +\\| +30 \\| +[1-9]\\d* \\| +0 \\| +0 \\|`),
  );
  expect(output).toMatch(new RegExp(`- ${logout}: revived: .* \\(.*A@[01] .*\\)`));
  expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({
    ...{ rounds: 30, seed: 1 },
    results: [
      { store: 'memory', tallies: [{ scenario: logout, rounds: 30, revived: 0, lost: 0, errors: 0 }] },
      { store: 'express-session', tallies: [{ scenario: logout, rounds: 30, examples: expect.any(Array) }] },
    ],
  });
});

test('says how it is used', async () => {
  expect(await run('--help')).toMatchObject({ code: 0, output: expect.stringContaining('Usage: races ') });
});

describeOnServer('postgres', 'on a server of its own', () => {
  test('ends well after the server', async () => {
    const { code, output, errors } = await run('--cost', '--store', 'postgres', '--rounds', '1');
    expect(errors).toBe('');
    expect(output).toContain('| postgres | all at once, against plain set');
    expect(code).toBe(0);
  });
});

test('compares what saves cost', async () => {
  const { code, output } = await run('--cost', '--store', 'memory', '--rounds', '5');
  expect(output).toMatch(
    /^\| memory +\| all at once, against plain set +\| +\d+\.\d\d \| +\d+\.\d\d to \d+\.\d\d \|$/m,
  );
  expect(code).toBe(0);
});

test('ends with 0 when nothing is wrong, and prints the seed that it has drawn', async () => {
  const { code, output } = await run('--store', 'memory', '--scenario', 'logout', '--rounds', '5');
  expect(output).toMatch(/^5 rounds of each scenario, --seed \d+\n/);
  expect(code).toBe(0);
});

test.each([
  [['--store', 'oracle'], "--store must be ours, peers, all or names of stores, got 'oracle'"],
  [['--scenario', 'flood'], "--scenario must be in a scenario's name, got 'flood'"],
  [['--rounds', '0'], "--rounds must be a whole number from 1 to 2147483647, got '0'"],
  [['--seed', '1.5'], "--seed must be a whole number from 0 to 2147483647, got '1.5'"],
  [['--cost', '--store', 'peers'], '--cost is of our stores, got --store express-session'],
  [['--wrong'], "Unknown option '--wrong'"],
])('ends with 2 and says why: %s', async (args, sentence) => {
  const { code, errors } = await run(...args);
  expect(errors).toContain(sentence);
  expect(errors).toContain('Usage: races ');
  expect(code).toBe(2);
});
