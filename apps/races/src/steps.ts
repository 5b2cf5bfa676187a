import type { Request } from 'express';
import type { Step } from './protocol.js';

type Data = Record<string, unknown>;

/**
 * Does one step of a request.
 *
 * @param roundSession The id that `end` ends.
 * @param shown Gets what the step shows.
 */
export async function perform(
  step: Step,
  req: Request,
  roundSession: string,
  shown: unknown[],
): Promise<void> {
  const { session } = req;
  switch (step[0]) {
    case 'put': {
      const { holder, key } = resolve(session, step[1]);
      holder[key] = step[2];
      return;
    }
    case 'drop': {
      const { holder, key } = resolve(session, step[1]);
      delete holder[key];
      return;
    }
    case 'push':
      list(session, step[1]).push(step[2]);
      return;
    case 'pull': {
      const items = list(session, step[1]);
      const at = items.indexOf(step[2]);
      if (at >= 0) items.splice(at, 1);
      return;
    }
    case 'show':
      shown.push(...list(session, step[1]).splice(0));
      return;
    case 'take': {
      shown.push(...list(session, step[1]));
      const { holder, key } = resolve(session, step[1]);
      delete holder[key];
      return;
    }
    case 'maxAge':
      session.cookie.maxAge = step[1];
      return;
    case 'save':
      return await answered((done) => session.save(done));
    case 'saveLater':
      session.save();
      return;
    case 'reload':
      return await answered((done) => session.reload(done)).catch((error: unknown) => {
        if (!(error instanceof Error && error.message === 'failed to load session')) throw error;
      });
    case 'regenerate':
      return await answered((done) => session.regenerate(done));
    case 'destroy':
      return await answered((done) => session.destroy(done));
    case 'end':
      return await answered((done) => req.sessionStore.destroy(roundSession, done));
  }
}

function answered(call: (done: (error?: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => call((error) => (error ? reject(error) : resolve())));
}

/** Where a path leads, through objects that are made where there are none. */
function resolve(session: object, path: string): { holder: Data; key: string } {
  const keys = path.split('.');
  const key = keys.pop() ?? '';
  let holder = session as Data;
  for (const each of keys) {
    holder[each] ??= {};
    holder = holder[each] as Data;
  }
  return { holder, key };
}

function list(session: object, path: string): unknown[] {
  const { holder, key } = resolve(session, path);
  holder[key] ??= [];
  return holder[key] as unknown[];
}
