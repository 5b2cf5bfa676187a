import session from 'express-session';
import { testStore } from '../src/vitest.js';

testStore(
  "express-session's MemoryStore",
  () => ({ store: new session.MemoryStore(), capabilities: { grainMs: 1 } }),
  {
    knownFailures: [
      // all answers with an object.
      'CONTRACT-014',
      // What cannot be serialized is thrown; without a callback there is no promise.
      'CALLBACK-009',
      'CALLBACK-012',
      'CALLBACK-015',
      // A slow request stores the cookie it loaded, although it has ended.
      'HTTP-014',
      // set is an upsert, for sessions that were destroyed meanwhile too.
      ...[
        'RACE-001',
        'RACE-004',
        'RACE-006',
        'RACE-008',
        'RACE-009',
        'RACE-011',
        'RACE-015',
        'RACE-016',
        'RACE-017',
      ],
      // It replaces the session as a whole, and touch moves the end to where its own request has it.
      ...[
        'RACE-024',
        'RACE-025',
        'RACE-026',
        'RACE-027',
        'RACE-028',
        'RACE-032',
        'RACE-033',
        'RACE-034',
        'RACE-035',
      ],
      ...['RACE-036', 'RACE-037', 'RACE-038', 'RACE-039', 'RACE-040'],
    ],
    unsupported: [
      'FAULT',
      // An entry has no deadline but its cookie, and there is no limit.
      ...['TTL-009', 'TTL-023', 'TTL-024', 'DATA-025', 'DATA-026', 'CAPABILITY-003'],
      // It is in the memory of one process, and does not say so.
      ...[
        'ISOLATION-009',
        'ISOLATION-010',
        'RACE-005',
        'RACE-022',
        'RACE-023',
        'RACE-041',
        'RACE-042',
        'RACE-043',
        'RACE-044',
      ],
      ...['CAPABILITY-001', 'CAPABILITY-002'],
    ],
  },
);
