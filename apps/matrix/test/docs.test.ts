import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { unconfirmed } from '../src/confirmed.js';
import { markdownOf } from '../src/markdown.js';
import type { Matrix } from '../src/matrix.js';
import { pageOf } from '../src/page.js';

const read = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');
const matrix: Matrix = JSON.parse(read('matrix.json'));

// npm run matrix -- --from docs/matrix.json --markdown docs/matrix.md --html docs/matrix.html
test.each([
  ['matrix.md', markdownOf],
  ['matrix.html', pageOf],
])('docs/%s is what is written of docs/matrix.json today', (name, format) => {
  expect(format(matrix) === read(name)).toBe(true);
});

test('docs/matrix.json says of no published store that it does not do what it MUST, but what was confirmed', () => {
  expect(unconfirmed(matrix)).toEqual([]);
});
