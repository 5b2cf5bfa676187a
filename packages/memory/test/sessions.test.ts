import { runModule } from '@session-stores/test-kit';
import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../src/index.js';
import { ids, lasting, requestFor } from './helpers.js';

test('nothing that is stored or returned is shared', async () => {
  const store = new MemoryStore();
  const note = { list: [1] };
  const session = lasting(60_000, { note });
  const { cookie } = session;
  await store.set('a', session);
  note.list.push(2);
  cookie.path = '/elsewhere';
  const read = [await store.get('a'), (await store.all())[0], await store.load('a')];
  for (const each of read) {
    expect(each).toMatchObject({ note: { list: [1] }, cookie: { path: '/' } });
    if (each) Object.assign(each, { note: 'changed', cookie: null });
  }
  expect(await store.get('a')).toMatchObject({ note: { list: [1] }, cookie: { path: '/' } });
});

describe.each(['merge', 'overwrite', 'reject'] as const)('conflicts: %s', (conflicts) => {
  test('a session that was destroyed stays destroyed', async () => {
    const store = new MemoryStore({ conflicts });
    await store.set('a', lasting(60_000, { n: 1 }));
    const session = await requestFor(store, 'a');
    await store.destroy('a');
    session.n = 2;
    await store.set('a', session);
    await store.touch('a', session);
    expect(await store.get('a')).toBeNull();
  });

  test('one that was changed meanwhile', async () => {
    const store = new MemoryStore({ conflicts });
    await store.set('a', lasting(60_000, { n: 1 }));
    const session = await requestFor(store, 'a');
    await store.set('a', lasting(60_000, { n: 2 }));
    session.n = 3;
    const save = store.set('a', session);
    if (conflicts === 'reject')
      await expect(save).rejects.toMatchObject({ code: 'CONFLICT', backend: 'memory' });
    else await save;
    expect(await store.get('a')).toMatchObject({ n: conflicts === 'reject' ? 2 : 3 });
  });
});

test('entries gives each session once, while they are used, made and ended', async () => {
  const store = new MemoryStore();
  const all = Array.from({ length: 100 }, (_, i) => `${i}`);
  for (const id of all) await store.set(id, lasting(60_000));
  const seen: string[] = [];
  for await (const { id } of store.entries()) {
    seen.push(id);
    await store.get(id);
    await store.touch(`${99 - seen.length}`, lasting(60_000));
    await store.set(`new ${id}`, lasting(60_000));
    if (seen.length === 10) await store.destroy('50');
  }
  expect(seen).toEqual(all.filter((id) => id !== '50'));
});

test('clear ends all sessions of this store and of no other', async () => {
  const [store, other] = [new MemoryStore(), new MemoryStore()];
  for (const each of [store, other]) await each.set('a', lasting(60_000));
  await store.clear();
  expect([await ids(store), await ids(other)]).toEqual([[], ['a']]);
});

test('destroy of what is not there is no error', async () => {
  await expect(new MemoryStore().destroy('nobody')).resolves.toBeUndefined();
});

test('what it can do', () => {
  expect(new MemoryStore().capabilities).toEqual({ shared: false, nativeExpiry: false, grainMs: 1 });
});

test('in production: no warning, and a store that was left open does not keep the process alive', async () => {
  const result = await runModule(
    `import session from '${import.meta.resolve('express-session')}';
    import { MemoryStore } from '${import.meta.resolve('@session-stores/memory')}';
    const store = new MemoryStore({ sweepInterval: 0.001 });
    session({ store, secret: 'test', resave: false, saveUninitialized: false });
    await store.set('a', { cookie: {} });
    console.log((await store.get('a')) !== null);`,
    { NODE_ENV: 'production' },
  );
  expect(result).toMatchObject({ exitCode: 0, stdout: 'true\n', stderr: '' });
});
