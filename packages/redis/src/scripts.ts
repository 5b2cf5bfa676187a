import { createHash } from 'node:crypto';

/** What one command cannot do in one step on the server. */
export interface Script {
  readonly lua: string;
  /** What the server knows it by. */
  readonly sha: string;
}

/**
 * One round trip for both, and from the master also where a cluster client reads from replicas: those may be behind a logout.
 * A key that holds something else than a string holds no session, which the empty text says.
 */
export const READ = script(`
  local data = redis.pcall('GET', KEYS[1])
  if type(data) == 'table' then
    if string.sub(data.err, 1, 9) ~= 'WRONGTYPE' then return data end
    data = ''
  end
  return data and { data, redis.call('PTTL', KEYS[1]) }
`);

/** ARGV[3] is the expected text or, when there is an ARGV[4], its SHA-1. */
export const WRITE_IF_EQUAL = script(`
  local data = redis.call('GET', KEYS[1])
  if data and ARGV[4] then data = redis.sha1hex(data) end
  if data ~= ARGV[3] then return 0 end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
`);

/** PEXPIRE has a GT of its own only since Redis 7. A key without a deadline (-1) has the latest of all. */
export const EXTEND = script(`
  local left = redis.call('PTTL', KEYS[1])
  if left == -2 then return 0 end
  if left >= 0 and left < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
  return 1
`);

export function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

function script(lua: string): Script {
  return { lua, sha: sha1(lua) };
}
