import { type StoreKind, storeKind } from '@session-stores/every-store';
import type { Judged, Matrix } from './matrix.js';

/** Where the source of a published store does what a MUST forbids, or fails to do what it asks for. */
export interface Cause {
  /** The requirements that are not met because of it. */
  readonly ids: readonly string[];
  /** A file of the published package and a line of it: `dist/index.js:42`. */
  readonly where: string;
  /** What happens there, in our words. */
  readonly because: string;
}

/** What was confirmed by reading, by the names under which the packages are installed here. */
const confirmed: Readonly<Record<StoreKind['package'], readonly Cause[]>> = {};

/** Why a published store does not meet a requirement, if that was confirmed. */
export function causeOf({ name }: Pick<Judged, 'name'>, id: string): Cause | undefined {
  return confirmed[storeKind(name).package]?.find(({ ids }) => ids.includes(id));
}

/** Each MUST that a published store does not meet, and of which nobody has read why: `memorystore/TTL-005`. */
export function unconfirmed({ stores }: Matrix): readonly string[] {
  return stores.flatMap((judged) =>
    judged.ours
      ? []
      : judged.results.flatMap(({ id, status }) =>
          status === 'fail' && !causeOf(judged, id) ? [`${judged.name}/${id}`] : [],
        ),
  );
}
