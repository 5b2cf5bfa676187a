import { BackendError } from '@session-stores/core';
import { codeOf } from './failures.js';
import type { Sessions } from './mongo-connection.js';

const NO_COLLECTION = 26;

/** Makes the index that the expiry needs, unless there is one that serves. */
export async function makeExpiryIndex(sessions: Sessions, expiry: 'native' | 'sweep'): Promise<void> {
  const present = await sessions.indexes().catch((error: unknown) => {
    if (codeOf(error) === NO_COLLECTION) return [];
    throw error;
  });
  const onExpires = present.filter(({ key }) => Object.keys(key)[0] === 'expires');
  if (expiry === 'sweep') {
    // Not on `expires` alone: that would be in the way of the index that native expiry needs.
    if (onExpires.length === 0) await sessions.createIndex({ expires: 1, _id: 1 });
    return;
  }
  // Any delay will do: what has expired is not answered, whether or not it is still there.
  if (onExpires.some(({ expireAfterSeconds }) => expireAfterSeconds !== undefined)) return;
  const inTheWay = onExpires.find(({ key }) => Object.keys(key).length === 1);
  if (inTheWay !== undefined) {
    throw BackendError.refused(
      `the index ${inTheWay.name} of ${sessions.namespace} does not expire sessions. ` +
        "Drop it, and one with `expireAfterSeconds: 0` is made; or use the option `expiry: 'sweep'`",
    );
  }
  await sessions.createIndex({ expires: 1 }, { expireAfterSeconds: 0 });
}
