import { promisify } from 'node:util';
import type { Request } from 'express';
import type { Role } from './accounts.js';

declare module 'express-session' {
  interface SessionData {
    views?: number;
    user?: string;
    role?: Role;
    cart?: string[];
    /** Messages for the next page. */
    flash?: string[];
    /** The address that the login came from, when sessions are bound to it. */
    address?: string | undefined;
  }
}

/**
 * Writes the session before the answer goes out. Left to the end of the request, a browser that follows the redirect can
 * overtake the write, and an error would come too late to be shown.
 */
export async function save(req: Request): Promise<void> {
  const session = req.session.touch();
  await promisify(session.save.bind(session))();
}

/** A new id for a new session; the old one is gone from the store. */
export async function regenerate(req: Request): Promise<void> {
  await promisify(req.session.regenerate.bind(req.session))();
}

/** Ends the session. */
export async function destroy(req: Request): Promise<void> {
  await promisify(req.session.destroy.bind(req.session))();
}
