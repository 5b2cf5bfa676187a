import { testStore } from '../src/vitest.js';
import { rightStores, sharedHarness } from './shared-stores.js';

for (const name of rightStores) testStore(name, sharedHarness(name));
