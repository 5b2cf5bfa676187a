import type { Status } from '@session-stores/conformance';
import { type Cause, causeOf } from './confirmed.js';
import {
  type Asked,
  basisOf,
  commandFor,
  type Matrix,
  meanings,
  packagesOf,
  repeatsOf,
  signs,
  titleOf,
} from './matrix.js';

/** A result, as the page has it. What is missing was not asked. */
export interface Cell {
  readonly status: Status;
  /** What was seen, or why nothing was; for a pass, nothing. */
  readonly evidence?: string;
  /** How long it took, in milliseconds. */
  readonly ms: number;
  readonly cause?: Omit<Cause, 'ids'>;
}

/** A store, as the page has it. */
export interface Column {
  readonly name: string;
  readonly title: string;
  readonly basis: string;
  readonly ours: boolean;
  /** By what, on what and when it was judged. */
  readonly suite: string;
  readonly node: string;
  readonly date: string;
  /** What judges it anew, without the requirement's id at its end. */
  readonly command: string;
  readonly cells: Readonly<Record<string, Cell>>;
}

/** All that the page shows. */
export interface PageData {
  /** Whose stores they are, and which are there more than once. */
  readonly packages: string;
  readonly repeats: string;
  readonly requirements: readonly Asked[];
  readonly columns: readonly Column[];
  readonly notJudged: Matrix['notJudged'];
  readonly signs: typeof signs;
  readonly meanings: typeof meanings;
}

export function pageDataOf({ requirements, stores, notJudged }: Matrix): PageData {
  return {
    ...{ packages: packagesOf(stores), repeats: repeatsOf(stores) },
    ...{ requirements, notJudged, signs, meanings },
    columns: stores.map((judged) => {
      const { name, ours, suite, node, date } = judged;
      return {
        ...{ name, ours, node, title: titleOf(judged), basis: basisOf(judged), date: date.slice(0, 10) },
        suite: `${suite.name} ${suite.version}`,
        command: commandFor(name, ''),
        cells: Object.fromEntries(
          judged.results.map(({ id, status, evidence, ms }): [string, Cell] => {
            const { where, because } = (status === 'fail' && causeOf(judged, id)) || {};
            const cause = where && because && { where, because };
            return [id, { status, ms, ...(evidence && { evidence }), ...(cause && { cause }) }];
          }),
        ),
      };
    }),
  };
}
