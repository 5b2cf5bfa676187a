import type { Requirement } from '../requirement.js';
import { callback } from './callback.js';
import { capability } from './capability.js';
import { contract } from './contract.js';
import { data } from './data.js';
import { fault } from './fault.js';
import { http } from './http.js';
import { ids } from './ids.js';
import { isolation } from './isolation.js';
import { logout } from './logout.js';
import { merge } from './merge.js';
import { race } from './race.js';
import { ttl } from './ttl.js';

/** Every requirement, in the order in which they are best read. */
export const requirements: readonly Requirement[] = [
  ...contract,
  ...ttl,
  ...ids,
  ...data,
  ...callback,
  ...isolation,
  ...http,
  ...race,
  ...logout,
  ...merge,
  ...fault,
  ...capability,
];
