export { SQLiteStore, type SQLiteStoreOptions } from './sqlite-store.js';
