import { runModule, testTwoStores } from '@session-stores/test-kit';
import { expect, test } from 'vitest';
import { lookAt, onEachServer, open, uniqueTable } from './helpers.js';

onEachServer('two processes with one session', ({ url }) => {
  testTwoStores(() => {
    const table = uniqueTable();
    return (options) => open({ uri: url, table, ...options });
  });
});

onEachServer('two processes with one table', ({ url }) => {
  const look = lookAt(url);
  const ROUNDS = 5;
  const SESSIONS = 20;

  test('make it, write and sweep at once, and sweep each session once', async () => {
    const [table, ready] = [uniqueTable(), uniqueTable()];
    await look.query(`CREATE TABLE ${ready} (name varchar(10))`);
    const program = (name: string) => `
      import { createPool } from '${import.meta.resolve('mysql2/promise')}';
      import { MySQLStore } from '${import.meta.resolve('@session-stores/mysql')}';
      const store = new MySQLStore({ uri: '${url}', table: '${table}' });
      const session = (maxAge) => ({ cookie: { originalMaxAge: maxAge, expires: new Date(Date.now() + maxAge) } });
      const pool = createPool('${url}');
      await pool.query("INSERT INTO ${ready} VALUES ('${name}')");
      while ((await pool.query('SELECT * FROM ${ready}'))[0].length < 2);
      await pool.end();
      let swept = 0;
      for (let round = 0; round < ${ROUNDS}; round++) {
        const ids = Array.from({ length: ${SESSIONS} }, (_, n) => \`\${round}-\${n}\`);
        await Promise.all([
          ...ids.map((id) => store.set(\`${name}-\${id}\`, session(60_000))),
          ...ids.map((id) => store.set(\`shared-\${id}\`, session(60_000))),
          ...ids.map((id) => store.set(\`ended-${name}-\${id}\`, session(999))),
        ]);
        swept += await store.sweep();
      }
      await store.close();
      console.log(swept);`;
    const ended = await Promise.all(['one', 'two'].map((name) => runModule(program(name))));
    for (const { exitCode, stderr } of ended)
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });

    const store = open({ uri: url, table });
    await expect.poll(() => store.length(), { timeout: 5000 }).toBe(3 * ROUNDS * SESSIONS);
    const swept = ended.reduce((sum, { stdout }) => sum + Number(stdout), await store.sweep());
    expect(swept).toBe(2 * ROUNDS * SESSIONS);
    expect(await store.sweep()).toBe(0);
  });
});
