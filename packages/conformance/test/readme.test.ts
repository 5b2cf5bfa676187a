import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The blocks of this language. */
const blocks = (language: string) =>
  [...readme.matchAll(/^```(\w+)\n(.*?)^```/gms)].flatMap(([, name, text = '']) =>
    name === language ? [text] : [],
  );

/** The project of somebody who follows the page. */
let project: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'session-stores-readme-'));
  mkdirSync(join(project, 'node_modules/@session-stores'), { recursive: true });
  symlinkSync(root, join(project, 'node_modules/@session-stores/conformance'));
  for (const name of ['express-session', 'vitest']) {
    symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  for (const block of blocks('js')) {
    const name = /^\/\/ (\S+)\n/.exec(block)?.[1];
    writeFileSync(join(project, String(name)), block);
  }
});

afterAll(() => rmSync(project, { recursive: true }));

function run(...args: string[]): Promise<{ code: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: project }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, output: stripVTControlCharacters(stdout + stderr) }),
    );
  });
}

const conformance = 'node_modules/@session-stores/conformance/bin.js';

test('the commands do what the page says', { timeout: 120_000 }, async () => {
  const commands = blocks('sh')
    .flatMap((block) => block.split('\n'))
    .filter((line) => line.startsWith('npx @session-stores/conformance '));
  const outcomes = commands.map((command) => run(conformance, ...command.split(' ').slice(2)));
  const [whole, single] = await Promise.all(outcomes);
  expect(whole?.code).toBe(1);
  expect(whole?.output).toMatch(/2 of \d+ MUST not met/);
  const [output] = blocks('text');
  expect(single).toEqual({ code: 1, output });
});

test('the wider harness has more judged', { timeout: 60_000 }, async () => {
  const { code, output } = await run(conformance, 'wider.js', '--only', 'TTL-009', '--only', 'ISOLATION-009');
  expect(output).toMatch(/^MyStore 1\.0\.0 on Map\n[\s\S]*2 passed: every MUST/);
  expect(code).toBe(0);
});

test('another process opens the store', { timeout: 60_000 }, async () => {
  const { code, output } = await run(conformance, 'elsewhere.js', '--only', 'CAPABILITY-001');
  expect(output).toMatch(/1 passed: every MUST/);
  expect(code).toBe(0);
});

test('the tests run', { timeout: 60_000 }, async () => {
  const vitest = 'node_modules/vitest/vitest.mjs';
  const store = await run(vitest, 'run', 'store.test', '--root', project, '-t', 'CALLBACK-0(03|10)');
  expect(store.output).toMatch(/1 failed \| 1 passed/);
  const known = await run('--test', '--test-name-pattern', 'CALLBACK-010|CONTRACT-017', 'known.test.js');
  expect(known).toMatchObject({ code: 0, output: expect.stringMatching(/CALLBACK-010[\s\S]*# fail 0/) });
});

test('the program runs', { timeout: 120_000 }, async () => {
  const { code, output } = await run('program.js');
  expect(code).toBe(0);
  expect(output).toMatch(/^CALLBACK-010 fail a call threw/m);
  expect(output).toMatch(/^# MyStore$/m);
});
