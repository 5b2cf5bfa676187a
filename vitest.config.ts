import { readdirSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** One project for each package and application, named as its folder. */
const workspaces = ['packages', 'apps'].flatMap((group) =>
  readdirSync(new URL(group, import.meta.url)).map((name) => ({ name, root: `${group}/${name}` })),
);

export default defineConfig({
  test: {
    // Here and not in the projects: the servers start once for a run.
    globalSetup: '@session-stores/test-servers/vitest-setup',
    reporters: ['default', ['json', { outputFile: 'results/vitest.json' }]],
    projects: [...workspaces, { name: 'repo', root: 'scripts' }].map((workspace) => ({
      // The timeouts only end what hangs; how long something may take is asserted where it matters.
      test: { ...workspace, include: ['test/**/*.test.ts'], testTimeout: 30_000, hookTimeout: 60_000 },
    })),
  },
});
