import { testTwoStores } from '@session-stores/test-kit';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { open } from './helpers.js';

describeOnServer('redis', 'two processes with one session', ({ url }) => {
  testTwoStores(() => {
    const prefix = uniquePrefix();
    return (options) => open({ url, prefix, ...options });
  });
});
