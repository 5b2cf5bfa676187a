import type { TestProject } from 'vitest/node';
import { type Server, ServerUnavailableError, startServer } from './server.js';
import type { Shared } from './vitest.js';

/** A vitest globalSetup: starts the servers that a run shares, and says at its end what was not run for want of one. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let redis: Server | undefined;
  let shared: Shared;
  try {
    redis = await startServer('redis');
    const { name, url, version, how } = redis;
    shared = { name, url, version, how };
  } catch (error) {
    if (!(error instanceof ServerUnavailableError)) throw error;
    shared = { unavailable: error.message };
  }
  project.provide('testServers', { redis: shared });

  return async () => {
    await redis?.stop();
    reportNotRun(project);
  };
}

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
