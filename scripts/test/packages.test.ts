import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { publicPackages, readJson, root, workspaces } from './workspaces.js';

/** The folders that a folder's tsconfig.json refers to. */
const references = (folder: string) =>
  readJson<{ references: { path: string }[] }>(join(folder, 'tsconfig.json'))
    .references.map(({ path }) => join(folder, path))
    .sort();

/** The folders of our packages among some dependencies. */
const ours = (dependencies: Record<string, string> = {}) =>
  workspaces.filter(({ manifest }) => manifest.name in dependencies).map(({ path }) => path);

describe.each(workspaces)('$path', ({ folder, path, manifest }) => {
  test('has the fields and scripts that all have', () => {
    expect(manifest).toMatchObject({
      name: `@session-stores/${folder}`,
      type: 'module',
      engines: readJson<{ engines: object }>('package.json').engines,
      scripts: { build: 'tsc -b', types: 'tsc -b test', test: `vitest run --root ../.. --project ${folder}` },
    });
  });

  test('exports files of src by their own names', () => {
    for (const [entry, target] of Object.entries(manifest.exports ?? {})) {
      const file = entry === '.' ? 'index' : entry.slice(2);
      expect(target).toStrictEqual({ types: `./dist/${file}.d.ts`, default: `./dist/${file}.js` });
      expect(Object.keys(target as object)).toStrictEqual(['types', 'default']);
      expect(existsSync(`${root}${path}/src/${file}.ts`), `src/${file}.ts`).toBe(true);
    }
  });

  test('is built after the packages it depends on', () => {
    expect(references(path)).toStrictEqual(ours(manifest.dependencies).sort());
    expect(references(join(path, 'test'))).toStrictEqual([path, ...ours(manifest.devDependencies)].sort());
    expect(references('.')).toEqual(expect.arrayContaining([path, join(path, 'test')]));
  });
});

describe.each(publicPackages)('$manifest.name is published', ({ manifest }) => {
  test('with what a reader of the registry needs, and nothing else', () => {
    expect(manifest).toMatchObject({
      license: 'MIT',
      version: expect.any(String),
      description: expect.any(String),
      keywords: expect.arrayContaining(['express-session']),
      sideEffects: false,
      files: ['dist', '!dist/.tsbuildinfo*', 'src'],
      exports: { '.': expect.anything() },
      scripts: { 'check:package': 'publint --strict && attw --pack --profile esm-only' },
    });
  });
});
