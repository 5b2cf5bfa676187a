import { testTwoStores } from '@session-stores/test-kit';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { onTestFinished } from 'vitest';
import { connect, open, uniqueName } from './helpers.js';

describeOnServer('mongo', 'two processes with one session', ({ url }) => {
  testTwoStores(() => {
    const dbName = uniqueName();
    const client = connect(url);
    onTestFinished(async () => void (await client.db(dbName).dropDatabase()));
    return (options) => open({ url, dbName, ...options });
  });
});
