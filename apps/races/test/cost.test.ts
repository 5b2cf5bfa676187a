import { expect, test } from 'vitest';
import { measure } from '../src/cost.js';

test('every way is compared at each pace', async () => {
  const costs = await measure('memory', '', { rounds: 25, seed: 1 });
  expect(costs.map(({ pace, against }) => `${pace}, ${against}`)).toEqual([
    'one after another, overwrite',
    'one after another, plain set',
    'all at once, overwrite',
    'all at once, plain set',
  ]);
  for (const { ratio, spread } of costs) {
    expect(ratio).toBeGreaterThan(0);
    expect(spread[0]).toBeLessThanOrEqual(spread[1]);
    expect(spread[1]).toBeLessThan(Number.POSITIVE_INFINITY);
  }
});

test('a store without a choice of what to do about conflicts is refused', async () => {
  await expect(measure('memorystore', '', { rounds: 1, seed: 1 })).rejects.toThrow(
    'memorystore has no choice of what to do about conflicts',
  );
});
