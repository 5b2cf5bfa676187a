export { caller, collect, failure, untilItWorks } from './answers.js';
export { type Application, type Browser, serve } from './application.js';
export { type Place, testBackend, testIds, testSweep } from './backend-suite.js';
export { type FragileServer, type Stores, testFaults } from './faults-suite.js';
export { type Proxy, startProxy } from './proxy.js';
export { sessionWith } from './sessions.js';
