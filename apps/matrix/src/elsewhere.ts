import { type Settings, type StoreName, storeKind } from '@session-stores/every-store';

/** What opens a store in another process. */
export interface Order {
  readonly store: StoreName;
  readonly settings: Settings;
}

export default async function open({ store, settings }: Order) {
  return (await storeKind(store).open(settings)).store;
}
