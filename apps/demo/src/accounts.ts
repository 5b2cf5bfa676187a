import { scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

export type Role = 'user' | 'admin';

export interface Account {
  readonly username: string;
  readonly role: Role;
  /** scrypt of the password, with a salt of its own; both base64url. */
  readonly salt: string;
  readonly hash: string;
}

const accounts: readonly Account[] = [
  {
    username: 'alice',
    role: 'user',
    salt: 'GY-P2g9iaWgKkvxDQ691tg',
    hash: '67erPIn3fenInjh_xNNt8f3rnbTe18BtqfP7AF_gIxY',
  },
  {
    username: 'admin',
    role: 'admin',
    salt: 'Gs93mzdmNaKNyv8apC3SMA',
    hash: 'FaHew4gkk8KczPin_4_VLZwgrfAbccPu4zRVHbUD4mI',
  },
];

/** What a visitor of the demo may log in with. Outside production it is printed at start-up and shown on the page. */
export const hints = ['alice / wonderland (user)', 'admin / looking-glass (admin)'] as const;

/** Stands in for an unknown user, so that the answer takes as long as for a known one. No password has this hash. */
const nobody: Account = { username: '', role: 'user', salt: 'AAAAAAAAAAAAAAAAAAAAAA', hash: 'A'.repeat(43) };

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);

/** The account with this name and password, if there is one. */
export async function authenticate(username: string, password: string): Promise<Account | undefined> {
  const account = accounts.find((each) => each.username === username) ?? nobody;
  const expected = Buffer.from(account.hash, 'base64url');
  const given = await derive(password, Buffer.from(account.salt, 'base64url'), expected.length, {
    N: 2 ** 15,
    maxmem: 2 ** 26,
  });
  return timingSafeEqual(given, expected) ? account : undefined;
}
