import { expect, test } from 'vitest';
import { unconfirmed } from '../src/confirmed.js';
import { judged, matrix } from './matrices.js';

test('what nobody has read is each MUST that a published store does not meet', () => {
  expect(unconfirmed(matrix)).toEqual(['memorystore/CONTRACT-006', 'connect-redis-10/IDS-010']);
});

test('of our stores nothing has to be confirmed', () => {
  expect(unconfirmed({ ...matrix, stores: [judged('redis', ['fail'], { ours: true })] })).toEqual([]);
});
