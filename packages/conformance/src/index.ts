export type { App, Browser, Routes, SessionOptions } from './app.js';
export { audit, judge, type Result, type Status } from './audit.js';
export type {
  Calls,
  LiveRequest,
  LiveSession,
  Method,
  Outcome,
  SessionCookie,
  SessionData,
} from './calls.js';
export type { Context } from './context.js';
export type { Answer, AnyStore, Callback, Capabilities, Elsewhere, Harness, Subject } from './harness.js';
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
