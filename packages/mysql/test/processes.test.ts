import { testTwoStores } from '@session-stores/test-kit';
import { onEachServer, open, uniqueTable } from './helpers.js';

onEachServer('two processes with one session', ({ url }) => {
  testTwoStores(() => {
    const table = uniqueTable();
    return (options) => open({ uri: url, table, ...options });
  });
});
