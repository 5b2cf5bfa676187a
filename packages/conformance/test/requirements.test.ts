import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { requirements } from '../src/requirements/index.js';
import { testStore } from '../src/vitest.js';
import { harnessOf, ReferenceStore } from './reference-store.js';
import { page } from './requirements-page.js';

test('ids, levels and titles stay what they are', async () => {
  const lines = requirements.map(({ id, level, title }) => `${id} ${level} ${title}\n`);
  await expect(lines.join('')).toMatchFileSnapshot('requirements.txt');
});

test('docs/requirements.md says what they are', async () => {
  await expect(page).toMatchFileSnapshot('../../../docs/requirements.md');
});

test('each id is its group and three digits, once', () => {
  const ids = requirements.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { id, group } of requirements) expect(id).toMatch(new RegExp(`^${group}-\\d{3}$`));
});

test('each quote stands, word for word, where it says', () => {
  const folder = dirname(createRequire(import.meta.url).resolve('express-session'));
  const words = (text: string) => text.replace(/\s+/g, ' ');
  for (const { id, source } of requirements) {
    const path = source.url
      .replace('https://github.com/expressjs/session/blob/v1.19.0/', '')
      .replace(/#.*/, '');
    const text = words(readFileSync(join(folder, path), 'utf8'));
    expect(text.includes(words(source.quote)), `${id}: ${source.quote}`).toBe(true);
    const anchor = /#(.*)/.exec(source.url)?.[1];
    if (anchor) expect(anchorsOf(join(folder, path)), id).toContain(anchor);
  }
});

test('lists with ids that do not exist, or that contradict each other, are refused', () => {
  const harness = harnessOf(ReferenceStore);
  expect(() => testStore('x', harness, { knownFailures: ['TTL-999'] })).toThrow(/no requirement TTL-999/);
  expect(() => testStore('x', harness, { knownFailures: ['TTL-001'], unsupported: ['TTL-001'] })).toThrow(
    /TTL-001.*both/,
  );
});

/** The anchors that GitHub gives to the headings of a page; those that repeat are numbered. */
function anchorsOf(path: string): string[] {
  const seen = new Map<string, number>();
  return [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-');
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count ? `${anchor}-${count}` : anchor;
  });
}
