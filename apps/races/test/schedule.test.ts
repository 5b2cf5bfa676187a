import { expect, test } from 'vitest';
import { Choices, draw } from '../src/schedule.js';

const drawn = (seed: number, count: number) => {
  const choices = new Choices(seed);
  return Array.from({ length: count }, () => draw(choices, [2, 3]));
};

test('the same seed draws the same meetings, another one others', () => {
  expect(drawn(7, 20)).toEqual(drawn(7, 20));
  expect(drawn(7, 20)).not.toEqual(drawn(8, 20));
});

test('every request goes all its steps, and is under way with another one', () => {
  for (const schedule of drawn(1, 500)) {
    const steps = (who: number) =>
      schedule.flat().reduce((sum, each) => sum + (each.who === who ? each.steps : 0), 0);
    expect([steps(0), steps(1)]).toEqual([2, 3]);
    const stagesOf = (who: number) =>
      schedule.flatMap((stage, at) => (stage.some((each) => each.who === who) ? [at] : []));
    const [a, b] = [stagesOf(0), stagesOf(1)];
    expect(Math.max(...a) >= Math.min(...b) && Math.max(...b) >= Math.min(...a)).toBe(true);
  }
});

test('every order of single steps is drawn sooner or later', () => {
  const orders = new Set<string>();
  for (const schedule of drawn(1, 5000))
    if (schedule.every((stage) => stage.length === 1))
      orders.add(schedule.flatMap(([one]) => Array(one?.steps).fill(one?.who)).join(''));
  // The ten ways to mix two steps with three, without the two that do not mix them.
  expect([...orders].sort()).toHaveLength(8);
});
