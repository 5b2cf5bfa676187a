export type { App, Browser, Routes, SessionOptions } from './app.js';
export { audit, judge, type Result, type Status } from './audit.js';
export type {
  Calls,
  Context,
  LiveRequest,
  LiveSession,
  Method,
  Outcome,
  SessionCookie,
  SessionData,
} from './context.js';
export type { Answer, AnyStore, Callback, Harness, Subject } from './harness.js';
export {
  type Group,
  groups,
  Inconclusive,
  type Level,
  type Requirement,
  Unsupported,
} from './requirement.js';
export { requirements } from './requirements/index.js';
export type { Source } from './sources.js';
