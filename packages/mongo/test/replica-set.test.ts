import { failure, sessionWith } from '@session-stores/test-kit';
import { startMongoReplicaSet } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { type MongoClient, ReadPreference } from 'mongodb';
import { expect, onTestFinished, test } from 'vitest';
import { connect, open, uniqueName } from './helpers.js';

const BOUND = { timeout: 20_000, interval: 100 };

/** Lets the primary of a replica set become a secondary for some seconds. */
async function stepDown(client: MongoClient, force: boolean): Promise<void> {
  const command = { replSetStepDown: 4, secondaryCatchUpPeriodSecs: force ? 0 : 3, force };
  const done = () =>
    client
      .db('admin')
      .command(command)
      .then(Boolean, () => false);
  // A client that has not heard of the last election yet asks the wrong one.
  await expect.poll(done, BOUND).toBe(true);
}

/** The address of the server that a client's last command of this name went to. */
function watch(client: MongoClient): Map<string, string> {
  const seen = new Map<string, string>();
  client.on('commandStarted', ({ commandName, address }) => void seen.set(commandName, address));
  return seen;
}

describeOnServer(startMongoReplicaSet, 'a replica set of one', ({ url }) => {
  test('serves again after an election, without an error where there is time enough', async () => {
    const store = open({ url, dbName: uniqueName(), timeoutMs: 20_000 });
    await store.set('a', sessionWith({ n: 0 }));
    await stepDown(connect(url), true);
    await store.set('a', sessionWith({ n: 1 }));
    expect(await store.get('a')).toMatchObject({ n: 1 });
  });
});

describeOnServer(
  () => startMongoReplicaSet({ size: 3, args: ['--setParameter', 'enableTestCommands=1'] }),
  'a replica set of three',
  (set) => {
    const { url } = set;

    test('loses nothing that was acknowledged through elections, and writes nothing twice or late', async () => {
      const dbName = uniqueName();
      const stores = [open({ url, dbName }), open({ client: connect(url), dbName })];
      const admin = connect(url);
      const stored = new Map<string, number>();
      const possible = new Map<string, Set<number>>();
      let running = true;
      const work = async (id: string, store = stores[0]) => {
        for (let n = 1; running; n++) {
          const error = await store?.set(id, sessionWith({ n })).then(
            () => undefined,
            (failed) => failed,
          );
          if (error === undefined) {
            stored.set(id, n);
            possible.set(id, new Set([n]));
          } else if (error.mayHaveHappened) possible.get(id)?.add(n);
          await new Promise(setImmediate);
        }
      };
      const workers = Array.from({ length: 8 }, (_, index) => work(`id${index}`, stores[index % 2]));
      for (let election = 0; election < 2; election++) {
        const before = new Map(stored);
        await stepDown(admin, false);
        const goesOn = () => [...before].every(([id, n]) => (stored.get(id) ?? 0) > n);
        await expect.poll(goesOn, BOUND).toBe(true);
      }
      running = false;
      await Promise.all(workers);
      for (const [id, values] of possible) expect([...values]).toContain((await stores[0]?.get(id))?.n);
    });

    test('keeps a logout that was acknowledged when its primary is killed', async () => {
      const client = connect(url);
      const dbName = uniqueName();
      const store = open({ client, dbName, timeoutMs: 20_000 });
      const ids = Array.from({ length: 50 }, (_, n) => `id${n}`);
      for (const id of ids) await store.set(id, sessionWith());
      const { primary } = await client.db('admin').command({ hello: 1 });
      const member = set.members.find((each) => new URL(each.url).host === primary);
      await Promise.all(ids.map((id) => store.destroy(id)));
      await member?.kill();
      onTestFinished(() => member?.restart());
      // Each connection to the one that is gone may fail once.
      await expect.poll(() => store.length().catch(String), BOUND).toBe(0);
    });

    test('is written to where a majority gets it, unless the client says otherwise', async () => {
      for (const [options, expected] of [
        ['', { w: 'majority', j: true }],
        ['&w=1', { w: 1, j: true }],
        ['&journal=false', { w: 'majority', j: false }],
        ['&w=0', { w: 'majority', j: true }],
      ] as const) {
        const client = connect(url + options, { monitorCommands: true });
        const concerns: unknown[] = [];
        client.on('commandStarted', ({ commandName, command }) => {
          if (['update', 'findAndModify', 'delete'].includes(commandName)) {
            concerns.push(command['writeConcern']);
          }
        });
        const store = open({ client, dbName: uniqueName() });
        await store.set('a', sessionWith());
        await store.touch('a', sessionWith());
        await store.destroy('a');
        await store.clear();
        expect(concerns).toEqual([expected, expected, expected, expected]);
      }
    });

    test('is read from its primary, unless the client prefers others', async () => {
      const { primary } = await connect(url).db('admin').command({ hello: 1 });
      const dbName = uniqueName();
      for (const readPreference of [ReadPreference.PRIMARY, ReadPreference.SECONDARY]) {
        const client = connect(url, { monitorCommands: true, readPreference });
        const store = open({ client, dbName });
        const addresses = watch(client);
        for (let n = 0; n < 20; n++) {
          await store.set('a', sessionWith({ n }));
          expect(await store.get('a')).toMatchObject({ n });
        }
        expect(addresses.get('find') === primary).toBe(readPreference === ReadPreference.PRIMARY);
      }
    });

    /** Lets the secondaries get nothing new, until the test is finished. */
    async function holdReplication(): Promise<() => Promise<void>> {
      const { hosts, primary } = await connect(url).db('admin').command({ hello: 1 });
      const others: string[] = hosts.filter((host: string) => host !== primary);
      const admins = others.map((host) => connect(`mongodb://${host}/?directConnection=true`).db('admin'));
      const turn = async (mode: 'alwaysOn' | 'off') => {
        for (const admin of admins) await admin.command({ configureFailPoint: 'rsSyncApplyStop', mode });
      };
      onTestFinished(() => turn('off'));
      await turn('alwaysOn');
      return () => turn('off');
    }

    test('may have taken a write that no majority has confirmed in time, and says so', async () => {
      const dbName = uniqueName();
      const store = open({ url, dbName, timeoutMs: 1000 });
      const looking = open({ url: `${url}&w=1`, dbName });
      await store.set('a', sessionWith({ n: 1 }));
      await holdReplication();
      expect(await failure(store.set('a', sessionWith({ n: 2 })))).toMatchObject({
        code: 'TIMEOUT',
        mayHaveHappened: true,
      });
      expect(await looking.get('a')).toMatchObject({ n: 2 });
    });

    test('is never read from before the last write of this store, however far a secondary is behind', async () => {
      const dbName = uniqueName();
      // On both secondaries, not only on the one that makes the majority.
      const writer = open({ url: `${url}&w=3`, dbName });
      const client = connect(`${url}&readPreference=secondary&w=1`);
      const store = open({ client, dbName, timeoutMs: 1000 });
      await writer.set('mine', sessionWith({ n: 1 }));
      await writer.set('theirs', sessionWith({ n: 1 }));
      for (const id of ['mine', 'theirs']) expect(await store.get(id)).toMatchObject({ n: 1 });

      const goOn = await holdReplication();
      const behind = open({ client, dbName });
      const other = open({ url: `${url}&w=1`, dbName });
      await other.set('theirs', sessionWith({ n: 2 }));
      // What another process has written may be seen later; what this store has written is waited for.
      expect(await behind.get('theirs')).toMatchObject({ n: 1 });
      await store.set('mine', sessionWith({ n: 2 }));
      expect(await failure(store.get('mine'))).toMatchObject({ code: 'TIMEOUT' });
      await store.destroy('mine');
      const late = store.get('mine');
      await goOn();
      expect(await late.catch(() => store.get('mine'))).toBeNull();
      expect(await store.get('theirs')).toMatchObject({ n: 2 });
    });
  },
);
