export {
  type Answer,
  type Backend,
  type Caller,
  type Capabilities,
  SENT_WHOLE,
  type StoredSession,
  type WriteCondition,
} from './backend.js';
export { BackendError, maskId, StoreError, type StoreErrorCode } from './errors.js';
export { forAll, Once } from './once.js';
export {
  checkOptions,
  DEFAULT_TIMEOUT_MS,
  invalidOption,
  type OptionRule,
  rule,
  type Serializer,
  type StoreOptions,
  type SweepOptions,
} from './options.js';
export {
  type DoneCallback,
  type ListedSession,
  type ResultCallback,
  SessionStore,
  type StoreEvents,
} from './session-store.js';
