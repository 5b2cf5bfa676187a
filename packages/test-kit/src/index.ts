export { caller, collect, failure } from './answers.js';
export { type Application, type Browser, serve } from './application.js';
export { type Place, testBackend, testIds, testSweep } from './backend-suite.js';
export { sessionWith } from './sessions.js';
