export { parsed, runProgram, storesIn, UsageError } from './command-line.js';
export type { Look } from './looks.js';
export {
  driverOf,
  newNamespace,
  type Opened,
  productOf,
  type Settings,
  type StoreKind,
  type StoreName,
  storeKind,
  storeNames,
} from './stores.js';
