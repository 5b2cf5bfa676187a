import { expect, test } from 'vitest';
import { markdownOf } from '../src/markdown.js';
import type { Matrix } from '../src/matrix.js';
import { judged, matrix } from './matrices.js';

const page = markdownOf(matrix);

test('counts what each store does not meet, by group', () => {
  const row = (store: string) =>
    page
      .split('\n')
      .find((line) => line.startsWith(`| ${store} `))
      ?.split('|')
      .map((cell) => cell.trim())
      .slice(1, -1);
  expect(row('store')).toEqual(['store', 'on', 'CONTRACT', 'IDS', 'RACE', 'all']);
  expect(row('memory 1.2.3')).toEqual(['memory 1.2.3', '—', '✓', '✓', '✓', '✓']);
  expect(row('memorystore 1.2.3')).toEqual(['memorystore 1.2.3', '—', '1 ✗', '✓', '1 !', '1 ✗ 1 !']);
  expect(row('connect-redis-10 1.2.3')).toEqual([
    ...['connect-redis-10 1.2.3', 'redis 6.3.1, Redis 7.0.15'],
    ...['✓', '1 ✗', '–', '1 ✗'],
  ]);
  expect(row('express-session 1.2.3')).toEqual(['express-session 1.2.3', '—', '✓', '?', '1 !', '1 ! ?']);
});

test('says which packages were judged, and which of them more than once', () => {
  expect(page).toContain('4 packages with a store for express-session, 1 ours and 3 published, judged by');
  expect(page).not.toContain('more than one');
  const redis = (version: string) =>
    judged('connect-redis-8', [], { store: { name: 'connect-redis', version } });
  const mysql = (server: string) =>
    judged('mysql', [], { ours: true, server: { name: server, version: '' } });
  const twice = { ...matrix, stores: [mysql('MariaDB'), mysql('MySQL'), redis('7'), redis('8'), redis('9')] };
  expect(markdownOf(twice)).toContain('2 packages with a store for express-session, 1 ours and 1 published');
  expect(markdownOf(twice)).toContain(
    'Some are in more than one of the 5 rows: mysql on 2 servers, connect-redis in 3 versions.',
  );
});

test('says what each group is about', () => {
  expect(page).toContain('- **RACE**: requests and processes that overtake each other');
  expect(page).not.toContain('- **HTTP**');
});

test('counts no MAY, neither by group nor in all', () => {
  const [must, may] = matrix.requirements;
  const asked = must && may ? [must, { ...may, level: 'MAY' as const }] : [];
  const text = markdownOf({
    ...matrix,
    requirements: asked,
    stores: [judged('memorystore', ['fail', 'warn'])],
  });
  expect(text).toMatch(/^\| memorystore 1\.2\.3 \| —\s+\|\s+1 ✗ \|\s+1 ✗ \|$/m);
  expect(text).toMatch(/^\| memorystore 1\.2\.3 \| —\s+\|\s+0 \|\s+1 \|\s+0 \|/m);
});

test('says in words which MUST are not met, and that nobody has read why', () => {
  expect(page).toContain(
    '### connect-redis-10 1.2.3, on redis 6.3.1, Redis 7.0.15\n\n- **IDS-010** Ids such as \\_\\_proto\\_\\_ work.',
  );
  expect(page.match(/Not confirmed yet in its source/g)).toHaveLength(2);
  expect(page).not.toContain('### memory 1.2.3');
});

test('names what could not be judged, and why', () => {
  expect(page).toContain('## Not judged\n\n- connect-mongo: No mongo server is to be had here. ');
  expect(page).toContain('\\<img src=x');
});

test('says so when every MUST is met', () => {
  const met: Matrix = { ...matrix, stores: [judged('memorystore', [])], notJudged: [] };
  expect(markdownOf(met)).toContain('Every MUST that was judged is met.');
  expect(markdownOf(met)).not.toContain('## Not judged');
});
