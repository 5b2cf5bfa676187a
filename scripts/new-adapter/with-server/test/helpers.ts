import { describeOnServer, type SharedServer } from '@session-stores/test-servers/vitest';

/** Tests on a server of Example. */
export function onExample(title: string, tests: (server: SharedServer) => void): void {
  describeOnServer('example', title, tests);
}
