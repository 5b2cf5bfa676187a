import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** Of each kind one that may run beside others, and one that may not. */
const some = 'CONTRACT-001|CONTRACT-014|ISOLATION-009|CALLBACK-007';

const run = (...args: readonly string[]) =>
  new Promise<string>((resolve) => execFile(process.execPath, args, (_, stdout) => resolve(stdout)));

const failures = [
  'listed wrongly: CALLBACK-007',
  'listed wrongly: CONTRACT-001',
  'listed wrongly: CONTRACT-014',
  'listed wrongly: ISOLATION-009',
  'not listed: CONTRACT-014',
  'not listed: ISOLATION-009',
];

test('mocha fails what is not as listed', { timeout: 60_000 }, async () => {
  const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
  const output = await run(mocha, '--reporter', 'json', '--grep', some, fixture('mocha.mjs'));
  const report: { passes: unknown[]; failures: { fullTitle: string }[] } = JSON.parse(output);
  expect(
    report.failures.map(({ fullTitle }) => fullTitle.replace(/ [A-Z]+ (\S+) .*/, ': $1')).sort(),
  ).toEqual(failures);
  expect(report.passes).toHaveLength(6);
});

test('node:test fails what is not as listed', { timeout: 60_000 }, async () => {
  const output = await run(
    ...['--test', '--test-reporter', 'tap', '--test-name-pattern', some],
    fixture('node-test.mjs'),
  );
  const seen: string[] = [];
  let store = '';
  for (const line of output.split('\n')) {
    store = /^# Subtest: (.*)/.exec(line)?.[1] ?? store;
    const id = /^ +not ok \d+ - (\S+-\d+)/.exec(line)?.[1];
    if (id) seen.push(`${store}: ${id}`);
  }
  expect(seen.sort()).toEqual(failures);
});
