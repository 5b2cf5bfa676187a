import {
  type Backend,
  BackendError,
  type Caller,
  type StoredSession,
  type WriteCondition,
} from '@session-stores/core';

/** docs/adding-an-adapter.md goes through the methods in the order in which the tests ask for them. */
export class ExampleBackend implements Backend {
  readonly name = 'example';
  /** With `nativeExpiry: false` it needs a `sweep` as well. */
  readonly capabilities = { shared: true, nativeExpiry: true, grainMs: 1 };

  // biome-ignore lint/complexity/noUselessConstructor: until the methods need what it is given
  constructor(_url: string, _prefix: string) {}

  async read(_id: string, _caller: Caller): Promise<StoredSession | undefined> {
    throw notWritten('read');
  }

  async write(
    _id: string,
    _data: string,
    _ttl: number,
    _when: WriteCondition,
    _caller: Caller,
  ): Promise<boolean> {
    throw notWritten('write');
  }

  async remove(_id: string, _caller: Caller): Promise<boolean> {
    throw notWritten('remove');
  }

  async touch(_id: string, _ttl: number, _how: 'set' | 'extend', _caller: Caller): Promise<boolean> {
    throw notWritten('touch');
  }

  entries(_caller: Caller): AsyncIterable<StoredSession & { id: string }> {
    throw notWritten('entries');
  }

  async count(_caller: Caller): Promise<number> {
    throw notWritten('count');
  }

  async clear(_caller: Caller): Promise<void> {
    throw notWritten('clear');
  }

  async close(): Promise<void> {}
}

function notWritten(method: string): BackendError {
  return BackendError.refused(`${method} is not written yet`);
}
