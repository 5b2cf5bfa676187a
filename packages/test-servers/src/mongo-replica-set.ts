import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { reason } from './program.js';
import { type OwnServer, type ServerOptions, startOwn } from './server.js';

export interface MongoReplicaSet {
  readonly members: readonly OwnServer[];
  /** For a client that finds the primary by itself. */
  readonly url: string;
  readonly version: string;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const name = 'sessions';
const formTimeoutMs = 30_000;

/**
 * A MongoDB replica set of processes on free ports, of one member or more, each of which may become the primary.
 *
 * @throws ServerUnavailableError when there is no `mongod` and none can be fetched.
 */
export async function startMongoReplicaSet(
  options: Pick<ServerOptions, 'log' | 'args'> & { readonly size?: number } = {},
): Promise<MongoReplicaSet> {
  const { size = 1, args = [], ...rest } = options;
  const members: OwnServer[] = [];
  const stop = async () => {
    await Promise.all(members.map((member) => member.stop()));
  };
  try {
    while (members.length < size) {
      members.push(
        await startOwn('mongo', ['binary', 'fetched'], { ...rest, args: [...args, '--replSet', name] }),
      );
    }
    const hosts = members.map(({ url }) => new URL(url).host);
    await form(hosts);
    const url = `mongodb://${hosts.join(',')}/?replicaSet=${name}`;
    return { members, url, version: members[0]?.version ?? 'unknown', stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function form(hosts: readonly string[]): Promise<void> {
  const client = new MongoClient(`mongodb://${hosts[0]}/?directConnection=true`);
  try {
    const admin = client.db('admin');
    await admin.command({
      replSetInitiate: {
        _id: name,
        members: hosts.map((host, index) => ({ _id: index, host })),
        settings: { electionTimeoutMillis: 2000 },
      },
    });
    let problem = '';
    for (const deadline = performance.now() + formTimeoutMs; ; await delay(50)) {
      const states = await admin.command({ replSetGetStatus: 1 }).then(
        ({ members }) => members.map(({ stateStr }: { stateStr: string }) => stateStr),
        (error: unknown) => {
          problem = reason(error);
          return [];
        },
      );
      const others = states.filter((state: string) => state === 'SECONDARY').length;
      if (states.includes('PRIMARY') && others === hosts.length - 1) return;
      if (performance.now() > deadline) {
        throw new Error(
          `the replica set did not form in ${formTimeoutMs} ms (${states.join(', ') || problem})`,
        );
      }
    }
  } finally {
    await client.close();
  }
}
