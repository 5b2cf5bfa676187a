import { describe } from 'vitest';

/** Tests on Example, which needs no server. */
export function onExample(title: string, tests: (server: { url: string }) => void): void {
  describe(title, () => tests({ url: 'example:' }));
}
