import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { matrix } from '@session-stores/test-servers';
import { expect, test } from 'vitest';
import { readJson, root } from './workspaces.js';

const workflow = readFileSync(join(root, '.github/workflows/ci.yml'), 'utf8');

test.each(matrix)('CI finds the conformance tests of $project for $image', ({ project }) => {
  expect(existsSync(join(root, 'packages', project, 'test/conformance.test.ts'))).toBe(true);
});

test('CI runs the command of the README, and the package manager that is pinned', () => {
  const { packageManager } = readJson<{ packageManager: string }>('package.json');
  expect(workflow).toContain('- run: npm test\n');
  expect(workflow).toContain(`npx --yes ${packageManager} install`);
});
