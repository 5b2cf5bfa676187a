export { ExampleStore, type ExampleStoreOptions } from './example-store.js';
