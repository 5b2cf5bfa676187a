export type { App, Browser, Routes, SessionOptions } from './app.js';
export { type AuditOptions, audit, type Selection, select } from './audit.js';
export type {
  Calls,
  LiveRequest,
  LiveSession,
  Method,
  Outcome,
  SessionCookie,
  SessionData,
} from './calls.js';
export { type About, type Product, UnfitHarness } from './contain.js';
export type { Context } from './context.js';
export type {
  Answer,
  AnyStore,
  Callback,
  Capabilities,
  Elsewhere,
  Harness,
  Interruptible,
  Subject,
} from './harness.js';
export { judge, type Result, type Status } from './judge.js';
export { type Report, reportOf } from './report.js';
export { junitOf } from './report-junit.js';
export { markdownOf } from './report-markdown.js';
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
