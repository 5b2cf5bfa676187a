import { randomInt } from 'node:crypto';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { expect, onTestFinished, test } from 'vitest';
import { Applications } from '../src/applications.js';
import { explain, type Model, type Operation } from '../src/history.js';
import { cartSession, plainSession } from '../src/models.js';
import { type Crash, recordCarts, recordPlain, survivors, type Workload } from '../src/record.js';
import { Choices } from '../src/schedule.js';
import { type StoreName, storeKind } from '../src/stores.js';
import { describeOnStore, ourStores } from './helpers.js';
import { proxyTo } from './proxy.js';

type Histories<Call> = readonly (readonly Operation<Call>[])[];

const workload = (disturb?: () => Promise<void>): Workload => ({
  choices: new Choices(randomInt(2 ** 31)),
  ...{ sessions: 8, clients: 4, rounds: 10 },
  ...(disturb && { disturb }),
});

/** What no order explains, of the sessions' histories. */
function riddles<State, Call>(histories: Histories<Call>, model: Model<State, Call>) {
  return histories.flatMap((history) => explain(history, model) ?? []);
}

async function startOn(name: StoreName, url: string): Promise<Applications> {
  const applications = await Applications.start(name, url);
  onTestFinished(() => applications.stop());
  return applications;
}

for (const name of ourStores) {
  describeOnStore(name, `what clients of two processes see on ${name}`, (start) => {
    test('is explained: plain calls take effect at once, requests lose nothing, logouts are final', async () => {
      const applications = await start();
      const plain = await recordPlain(applications, workload());
      expect(riddles(plain.histories, plainSession)).toEqual([]);
      expect(plain.histories.flat()).toHaveLength(8 * 4 * 10);

      const carts = await recordCarts(applications, workload());
      expect(riddles(carts.histories, cartSession)).toEqual([]);
      expect([...plain.failures, ...carts.failures]).toEqual([]);
    });
  });

  const { server: which } = storeKind(name);
  if (which === undefined) continue;

  describeOnServer(
    which,
    `what clients of two processes see on ${name} while connections are cut`,
    ({ url }) => {
      test('is explained', async () => {
        const proxy = await proxyTo(url);
        const applications = await startOn(name, proxy.url);
        const cut = async () => proxy.cut();
        const plain = await recordPlain(applications, workload(cut));
        expect(riddles(plain.histories, plainSession)).toEqual([]);

        const carts = await recordCarts(applications, workload(cut));
        expect(riddles(carts.histories, cartSession)).toEqual([]);
        expect(plain.failures).not.toEqual([]);
        expect(carts.failures).not.toEqual([]);
      });
    },
  );

  describeOnServer(
    () => startServer(which, { private: true, persist: true }),
    `what clients of two processes see on ${name} while the server is killed`,
    (server) => {
      test('is explained, but for what it had shown and not acknowledged', async () => {
        const applications = await startOn(name, server.url);
        const crashes: Crash[] = [];
        const kill = async () => {
          const from = performance.now();
          await server.kill();
          crashes.push({ from, to: performance.now() });
          await server.restart();
        };
        const left = <Call extends { do: string }>(histories: Histories<Call>) => {
          const all = histories.map((history) => survivors(history, crashes));
          expect(all.flat().length).toBeGreaterThan(histories.flat().length / 2);
          return all;
        };
        const plain = await recordPlain(applications, workload(kill));
        expect(riddles(left(plain.histories), plainSession)).toEqual([]);

        const carts = await recordCarts(applications, workload(kill));
        expect(riddles(left(carts.histories), cartSession)).toEqual([]);
        expect(plain.failures).not.toEqual([]);
        expect(carts.failures).not.toEqual([]);
      });
    },
  );
}

for (const name of ['express-session', 'connect-redis-10'] as const) {
  describeOnStore(name, `what requests of two processes see on ${name}`, (start) => {
    test('is not explained by saves that lose nothing', async () => {
      const { histories } = await recordCarts(await start(), workload());
      expect(riddles(histories, cartSession)).not.toEqual([]);
    });
  });
}
