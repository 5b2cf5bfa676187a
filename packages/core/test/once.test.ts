import { expect, test } from 'vitest';
import { Once } from '../src/index.js';
import { held, settled } from './helpers.js';

const patient = { wait: <T>(ready: Promise<T>) => ready };
const impatient = { wait: () => Promise.reject(new Error('no time')) };

test('what many calls need is made once', async () => {
  let made = 0;
  const once = new Once(async () => ++made);
  expect(await Promise.all([once.get(patient), once.get(patient)])).toEqual([1, 1]);
  expect(await once.get(patient)).toBe(1);
  once.forget();
  expect(await once.get(patient)).toBe(2);
});

test('what failed is made anew by the next call', async () => {
  let made = 0;
  const once = new Once(async () => {
    made += 1;
    if (made === 1) throw new Error('down');
    return made;
  });
  const first = [once.get(patient), once.get(patient)];
  for (const each of first) await expect(each).rejects.toThrow('down');
  expect(await Promise.all([once.get(patient), once.get(patient)])).toEqual([2, 2]);
});

/** What is made in attempts that the test ends. */
function slow() {
  const attempts: (() => void)[] = [];
  const once = new Once(async () => {
    const { promise, release } = held();
    const attempt = attempts.push(release);
    await promise;
    return attempt;
  });
  return { once, attempts };
}

test('what takes too long for one call is not waited for by the next', async () => {
  const { once, attempts } = slow();
  await expect(once.get(impatient)).rejects.toThrow('no time');
  const next = once.get(patient);
  attempts[1]?.();
  expect(await next).toBe(2);
  attempts[0]?.();
  await settled();
  expect(await once.get(patient)).toBe(2);
});

test('what comes too late for one call serves the next', async () => {
  const { once, attempts } = slow();
  await expect(once.get(impatient)).rejects.toThrow('no time');
  attempts[0]?.();
  await settled();
  expect(await once.get(patient)).toBe(1);
});
