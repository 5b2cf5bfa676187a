import session, { type SessionData } from 'express-session';

declare module 'express-session' {
  interface SessionData {
    user?: string;
    n?: number;
    text?: string;
  }
}

/** A plain session, of a minute unless the test says otherwise; with `null`, for as long as its browser is open. */
export function sessionWith(data: Partial<SessionData> = {}, maxAge: number | null = 60_000): SessionData {
  const cookie = new session.Cookie();
  if (maxAge !== null) cookie.maxAge = maxAge;
  return { ...data, cookie };
}
