import { testStore } from '../src/vitest.js';
import { sharedHarness } from './shared-stores.js';

testStore('the reference store', sharedHarness('the reference store'));
