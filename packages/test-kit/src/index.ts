export { caller, collect, failure } from './answers.js';
export { type Application, type Browser, serve } from './application.js';
export { sessionWith } from './sessions.js';
