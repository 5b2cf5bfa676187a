export { MySQLStore, type MySQLStoreOptions } from './mysql-store.js';
