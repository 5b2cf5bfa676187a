import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Report, reportOf } from '../src/report.js';
import { junitOf } from '../src/report-junit.js';
import { markdownOf } from '../src/report-markdown.js';
import { requirements } from '../src/requirements/index.js';

const program = fileURLToPath(new URL('../bin.js', import.meta.url));
const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));

/** Where the reports go. */
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'session-stores-cli-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const { FORCE_COLOR: _, ...usual } = process.env;
  return new Promise((resolve) => {
    const options = { cwd: fixtures, env: { ...usual, ...env } };
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

/** A module in the folder. */
function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const again = (fixture: string) =>
  `export { default } from '${new URL(`fixtures/${fixture}`, import.meta.url)}';`;

describe('the exit code', () => {
  test('is 0 when every MUST is met, whatever else is not', async () => {
    const { code, stdout } = await run(['memory.mjs', '--only', 'IDS-001', '--only', 'CONTRACT-014']);
    expect(stdout).toMatch(/^MemoryStore on nothing\n/);
    expect(stdout).toMatch(/1 passed, 1 warned: every MUST that was judged is met\n$/);
    expect(code).toBe(0);
  });

  test('is 1 when a MUST is not met', async () => {
    const { code, stdout } = await run([
      write('exits.mjs', again('unruly.mjs?length')),
      '--only',
      'CONTRACT-016',
    ]);
    expect(stdout).toMatch(/1 of 1 MUST not met\n$/);
    expect(code).toBe(1);
  });

  test('is 2 when something could not be judged', async () => {
    const module = write('broken.mjs', again('harnesses.mjs?only%20once'));
    const { code, stdout } = await run([module, '--only', 'IDS-001', '--only', 'IDS-002']);
    expect(stdout).toMatch(/1 passed, 1 in error: 1 could not be judged\n$/);
    expect(code).toBe(2);
  });
});

describe('what cannot be run is refused with a sentence', () => {
  const refusals: [string, () => readonly string[], RegExp][] = [
    ['no module', () => [], /say which module makes the store/],
    ['two modules', () => ['a.mjs', 'b.mjs'], /one module is judged at a time, not a\.mjs b\.mjs/],
    ['a module that is not there', () => ['nothing.mjs'], /there is no file .*nothing\.mjs/],
    ['an option that is none', () => ['memory.mjs', '--levle', 'must'], /Unknown option '--levle'/],
    ['a level that is none', () => ['memory.mjs', '--level', 'high'], /must, should or may, not high/],
    ['an id that is none', () => ['memory.mjs', '--only', 'TTL-999'], /there is no requirement TTL-999/],
    ['an id to explain that is none', () => ['--explain', 'TTL'], /there is no requirement TTL/],
    [
      'nothing left to judge',
      () => ['memory.mjs', '--level', 'must', '--only', 'CONTRACT-015'],
      /none of CONTRACT-015 binds as much as MUST/,
    ],
    [
      'a module without a harness',
      () => [write('no-function.mjs', again('harnesses.mjs?no%20function'))],
      /no-function\.mjs makes no store that could be judged: TypeError: its default export has to be a function/,
    ],
    [
      'a harness without a store',
      () => [write('no-store.mjs', again('harnesses.mjs?no%20store'))],
      /the harness has to return a store, or \{ store, … \}, and returned undefined/,
    ],
    [
      'a harness that is misspelt',
      () => [write('misspelt.mjs', again('harnesses.mjs?misspelt'))],
      /misspelt\.mjs makes no store that could be judged: TypeError: the harness may have .*, and has fallbackMS/,
    ],
    [
      'a harness without a server',
      () => [write('no-server.mjs', again('harnesses.mjs?no%20server'))],
      /no-server\.mjs makes no store that could be judged: Error: connect ECONNREFUSED/,
    ],
    [
      'an about that says nothing',
      () => [write('about.mjs', `${again('memory.mjs')} export const about = 'MemoryStore';`)],
      /its about has to be \{ store: .*, and is MemoryStore/,
    ],
    ['a module that is no JavaScript', () => [write('no.mjs', 'export default (')], /SyntaxError/],
  ];

  test.each(refusals)('%s', async (_, args, sentence) => {
    const { code, stdout, stderr } = await run(args());
    expect(stderr).toMatch(/^session-store-conformance: .*\n$/);
    expect(stderr).toMatch(sentence);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });
});

test('--only takes ids and groups, with commas or repeated, in upper and lower case', async () => {
  const args = ['--only', 'ids-001,CAPABILITY', '--only', 'Isolation-001,IDS-001'];
  const { code, stdout } = await run(['--list', ...args]);
  const group = requirements.flatMap(({ id, group }) => (group === 'CAPABILITY' ? [id] : []));
  const ids = stdout.split('\n').flatMap((line) => line.split(' ', 1).filter(Boolean));
  expect(ids.sort()).toEqual([...group, 'IDS-001', 'ISOLATION-001']);
  expect(code).toBe(0);
});

test('--list says which requirements there are', async () => {
  const lines = requirements.map(({ id, level, title }) => `${id} ${level} ${title}\n`);
  expect((await run(['--list'])).stdout).toBe(lines.join(''));
  const musts = requirements.filter(({ level }) => level === 'MUST').length;
  expect((await run(['--list', '--level', 'must'])).stdout.match(/\n/g)).toHaveLength(musts);
});

test('--explain says what a requirement asks for, why, and where that is written', async () => {
  const { code, stdout } = await run(['--explain', 'CALLBACK-010']);
  const { title, why, source } = requirements.find(({ id }) => id === 'CALLBACK-010') ?? {};
  expect(code).toBe(0);
  for (const part of [title, why, source?.quote, source?.url]) expect(stdout).toContain(part);
});

test('--help says what there is', async () => {
  const { code, stdout } = await run(['--help']);
  expect(stdout).toContain('--only <ids>');
  expect(code).toBe(0);
});

test('there is colour only on a terminal', async () => {
  const { stdout } = await run(['--explain', 'TTL-001']);
  expect(stripVTControlCharacters(stdout)).toBe(stdout);
  const { stdout: forced } = await run(['--explain', 'TTL-001'], { FORCE_COLOR: '1' });
  expect(stripVTControlCharacters(forced)).toBe(stdout);
  expect(forced).not.toBe(stdout);
});

test('reports are written as JSON, Markdown and XML, into folders that may not be there', async () => {
  const file = (name: string) => join(folder, 'reports', name);
  const ids = ['TTL-009', 'CONTRACT-014', 'CONTRACT-016', 'IDS-001'];
  await run([
    ...[write('reported.mjs', again('unruly.mjs?length')), ...ids.flatMap((id) => ['--only', id])],
    ...['--json', file('report.json'), '--markdown', file('report.md'), '--junit', file('report.xml')],
  ]);
  const report: Report = JSON.parse(readFileSync(file('report.json'), 'utf8'));
  expect(report).toMatchObject({
    suite: { name: '@session-stores/conformance', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
    node: process.versions.node,
    date: new Date(report.date).toISOString(),
    store: { name: 'MemoryStore' },
    totals: { pass: 1, fail: 1, warn: 1, unsupported: 1, inconclusive: 0, error: 0 },
  });
  expect(report.results.map(({ id, status }) => `${id} ${status}`)).toEqual([
    'CONTRACT-014 warn',
    'CONTRACT-016 fail',
    'TTL-009 unsupported',
    'IDS-001 pass',
  ]);

  const page = readFileSync(file('report.md'), 'utf8');
  expect(page).toMatch(/^# MemoryStore\n/);
  expect(page).toMatch(/## fail: CONTRACT-016 MUST .*\n\n```\nthe process ended, with exit code 3\n```/);
  expect(page).toContain('| IDS-001 | MUST | pass |');

  const xml = readFileSync(file('report.xml'), 'utf8');
  expect(xml).toMatch(/<testsuites name="MemoryStore" tests="4" failures="1" errors="0" skipped="2"/);
  expect(xml).toMatch(/<failure message="fail: the process ended, with exit code 3">/);
});

test('a report keeps whatever evidence there is', () => {
  const evidence = '</failure> ]]> & " \u0000 \ud800 \u{1f600}\n```js\n| a |';
  const report = reportOf([{ id: 'IDS-001', status: 'fail', evidence, ms: 1 }], { store: { name: 'A | B' } });
  expect(markdownOf(report)).toContain(`\n\`\`\`\`\n${evidence}\n\`\`\`\`\n`);
  expect(junitOf(report)).toContain('&lt;/failure&gt; ]]&gt; &amp; &quot; \ufffd \ufffd \u{1f600}\n```js');
});

describe('a harness in TypeScript', () => {
  const args = ['memory.ts', '--only', 'IDS-001'];

  test('runs with a loader', async () => {
    const { code, stdout } = await run(args, { NODE_OPTIONS: '--import tsx' });
    expect(stdout).toMatch(/1 passed: every MUST/);
    expect(code).toBe(0);
  });

  test('runs where Node reads it, and is refused with a sentence where not', async () => {
    const { code, stderr } = await run(args);
    const isRead = Boolean(Reflect.get(process.features, 'typescript'));
    expect(stderr).toMatch(isRead ? /^$/ : /Node [\d.]+ reads no TypeScript; Node 22\.18 does.*--import tsx/);
    expect(code).toBe(isRead ? 0 : 2);
  });
});
