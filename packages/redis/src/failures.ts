import { BackendError } from '@session-stores/core';

/** The server is there, and will serve again: it loads its data, or the cluster is choosing a new master. */
const UNAVAILABLE_REPLY = /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN)\b/;

/** ioredis's words for a command that never left. */
const NOT_SENT = /^Stream isn't writeable|^Cluster isn't ready/;

/** ioredis's words for a command whose answer never came. */
const LOST =
  /^(Connection is closed|Reached the max retries|Command aborted|Cluster is ended|None of startup nodes)/;

/** What an error of ioredis means. It names no reason for a missing connection: the last connection error does. */
export function explain(error: unknown, lastConnectionError: unknown): unknown {
  const message = messageOf(error);
  if (error instanceof Error && error.name === 'ReplyError') {
    // The server has refused, so nothing was done. It quotes the arguments of a command that it does not know.
    const reason = message.replace(/, with args beginning with:.*/s, '');
    const code = UNAVAILABLE_REPLY.test(message) ? 'UNAVAILABLE' : 'BACKEND';
    return new BackendError(reason, { code, mayHaveHappened: false });
  }
  if (message === 'Command timed out') return BackendError.noAnswer(true);
  if (isNotSent(error)) return BackendError.notConnected(lastConnectionError);
  if (LOST.test(message)) return BackendError.connectionLost(true, lastConnectionError);
  if (message.startsWith('Too many Cluster redirections')) {
    const reason = 'no node of the cluster answered for it';
    return new BackendError(reason, { code: 'UNAVAILABLE', mayHaveHappened: true, cause: error });
  }
  return error;
}

export function isNotSent(error: unknown): boolean {
  return NOT_SENT.test(messageOf(error));
}

/** A restart or SCRIPT FLUSH forgets scripts. */
export function isScriptUnknown(error: unknown): boolean {
  return messageOf(error).startsWith('NOSCRIPT');
}

/** An older server's answer to an option that it does not know. */
export function isSyntaxError(error: unknown): boolean {
  return messageOf(error).startsWith('ERR syntax error');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
