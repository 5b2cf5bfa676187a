import { testStore } from '../src/vitest.js';
import { harnessOf, ReferenceStore } from './reference-store.js';

testStore('the reference store', harnessOf(ReferenceStore));
