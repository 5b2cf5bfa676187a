import { expect, test } from 'vitest';
import { pageOf } from '../src/page.js';
import { pageDataOf } from '../src/page-data.js';
import { matrix } from './matrices.js';

const page = pageOf(matrix);

test('the page has all that was found, as data in which no HTML begins', () => {
  const [, data = ''] = /<script type="application\/json" id="data">(.*)<\/script>/.exec(page) ?? [];
  expect(data).not.toContain('<');
  expect(JSON.parse(data)).toEqual(JSON.parse(JSON.stringify(pageDataOf(matrix))));
  expect(page).not.toContain('<img');
  expect(page.match(/<script/g)).toHaveLength(2);
});

test('the page needs nothing else', () => {
  const [before = '', after = ''] = page.split(/<script type="application\/json".*<\/script>/);
  expect(before + after).not.toMatch(/https?:|\bimport\b|@import|url\(|src=/);
});
