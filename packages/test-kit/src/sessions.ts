import session, { type SessionData } from 'express-session';

declare module 'express-session' {
  interface SessionData {
    user?: string;
    n?: number;
    text?: string;
  }
}

/** A plain session, of a minute unless the test says otherwise. */
export function sessionWith(data: Partial<SessionData> = {}, maxAge = 60_000): SessionData {
  const cookie = new session.Cookie();
  cookie.maxAge = maxAge;
  return { ...data, cookie };
}
