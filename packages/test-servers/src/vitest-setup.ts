import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { isServerName, type ServerName, serverNames } from './recipes.js';
import { type Server, ServerUnavailableError, startServer } from './server.js';
import type { Shared } from './vitest.js';

type Setup = (project: TestProject) => Promise<() => Promise<void>>;

/** A vitest globalSetup: starts the servers that a run shares, and says at its end what was not run for want of one. */
export function sharing(...names: readonly ServerName[]): Setup {
  return async (project) => {
    const started: Server[] = [];
    const share = async (name: ServerName): Promise<[ServerName, Shared]> => {
      try {
        const server = await startServer(name);
        started.push(server);
        const { url, version, how } = server;
        return [name, { name, url, version, how }];
      } catch (error) {
        if (!(error instanceof ServerUnavailableError)) throw error;
        return [name, { unavailable: error.message }];
      }
    };
    project.provide('testServers', Object.fromEntries(await Promise.all(names.map(share))));

    return async () => {
      await Promise.all(started.map((server) => server.stop()));
      reportNotRun(project);
    };
  };
}

/** What the tests of one database alone need, where it is not the server of the same name. */
const own: Readonly<Record<string, readonly ServerName[]>> = {
  mysql: ['mariadb', 'mysql'],
  repo: serverNames,
};

function neededBy({ name, config }: TestProject): readonly ServerName[] {
  if (own[name] !== undefined) return own[name];
  if (isServerName(name)) return [name];
  const manifest = readFileSync(join(config.root, 'package.json'), 'utf8');
  return manifest.includes('@session-stores/test-servers') ? serverNames : [];
}

/** Shares what the chosen projects need. */
const setup: Setup = (project) => {
  const names = project.vitest.projects.flatMap(neededBy);
  return sharing(...new Set(names))(project);
};

export default setup;

function reportNotRun(project: TestProject): void {
  const suites = new Map<string, string[]>();
  for (const module of project.vitest.state.getTestModules()) {
    for (const test of module.children.allTests()) {
      const { notRun } = test.meta();
      if (notRun === undefined) continue;
      const name = `${module.relativeModuleId} > ${test.parent.type === 'suite' ? test.parent.fullName : ''}`;
      suites.set(notRun, [...(suites.get(notRun) ?? []), name]);
    }
  }
  for (const [why, names] of suites) {
    console.error(['\nNOT RUN:', ...names.map((name) => `  - ${name}`), why, ''].join('\n'));
  }
}
