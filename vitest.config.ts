import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Absolute: a package's own `test` script runs from its folder. */
const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** One project for each package and application, named as its folder. */
const workspaces = ['packages', 'apps'].flatMap((group) =>
  readdirSync(folder(group)).map((name) => ({ name, root: folder(`${group}/${name}`) })),
);

export default defineConfig({
  test: {
    // Here and not in the projects: the servers start once for a run.
    globalSetup: '@session-stores/test-servers/vitest-setup',
    // Most tests wait for servers, so there is something to do for the core that vitest would leave to itself.
    maxWorkers: '100%',
    reporters: ['default', 'json'],
    outputFile: { json: 'results/vitest.json' },
    projects: [...workspaces, { name: 'repo', root: folder('scripts') }].map((workspace) => ({
      // The timeouts only end what hangs; how long something may take is asserted where it matters.
      test: { ...workspace, include: ['test/**/*.test.ts'], testTimeout: 30_000, hookTimeout: 60_000 },
    })),
  },
});
