import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { race } from '../src/race.js';
import { scenarios } from '../src/scenarios.js';
import { describeOnStore, ourStores, peers } from './helpers.js';

const seed = randomInt(2 ** 31);

for (const name of ourStores) {
  describeOnStore(name, `two processes on ${name}`, (start) => {
    test(`bring no session back and lose no change (--seed ${seed})`, async () => {
      const applications = await start();
      const tallies = await race(applications, { rounds: 6, seed });
      expect(
        tallies.flatMap(({ scenario, examples }) => examples.map((each) => `${scenario}: ${each}`)),
      ).toEqual([]);
      expect(applications.uncaught).toEqual([]);
      expect(tallies.map(({ scenario, rounds }) => [scenario, rounds])).toEqual(
        scenarios.map((scenario) => [scenario.name, 6]),
      );
    });
  });
}

const telling = [
  'logout while a slow request changes the session',
  'logout while a slow request only reads it',
  'different keys',
];

for (const name of peers) {
  describeOnStore(name, `what two processes do to ${name}`, (start) => {
    test('is found', async () => {
      const only = scenarios.filter((scenario) => telling.includes(scenario.name));
      const tallies = await race(await start(), { rounds: 20, seed: 1, only });
      const found = { rounds: 20, revived: 0, lost: 0, errors: 0 };
      expect(tallies).toMatchObject([
        { ...found, revived: expect.any(Number) },
        { ...found, errors: expect.any(Number) },
        { ...found, lost: expect.any(Number) },
      ]);
      const [changes, reads, keys] = tallies;
      expect(changes?.revived).toBeGreaterThan(0);
      expect(changes?.examples[0]).toMatch(/^revived: .*"late":true.* \(.*A@\d .*B@\d /);
      expect(keys?.lost).toBeGreaterThan(0);
      // connect-mongo alone hands an error to the application when it touches a session that has ended.
      expect(Boolean(reads?.errors)).toBe(name === 'connect-mongo');
    });
  });
}
