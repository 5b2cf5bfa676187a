import { AssertionError } from 'node:assert/strict';
import type { Context, Where } from '../context.js';
import type { Requirement } from '../requirement.js';
import type { Site } from '../visits.js';

/** The applications that the two requests go to; they may be the same. */
export type Sites = readonly [Site, Site];

/** Two requests of one session that meet, step by step, and what has to come of it. */
export interface Meeting {
  readonly title: string;
  run(t: Context, sites: Sites): Promise<unknown>;
}

/** A meeting that is a requirement by itself, of requests that one store serves. */
export type RequiredMeeting = Omit<Requirement, 'group' | 'run'> & Meeting;

export function onOneStore(meeting: RequiredMeeting): Omit<Requirement, 'group'> {
  return { ...meeting, run: (t) => hold(t, 'on one store', [meeting]) };
}

/** Holds all these meetings side by side, each on a session of its own. No request may have failed. */
export async function hold(t: Context, where: Where, meetings: readonly Meeting[]): Promise<void> {
  const sites = await t.sites(where);
  const outcomes = await Promise.allSettled(meetings.map((meeting) => meeting.run(t, sites)));
  for (const [n, outcome] of outcomes.entries()) {
    if (outcome.status === 'fulfilled') continue;
    const { reason } = outcome;
    if (!(reason instanceof AssertionError) || meetings.length === 1) throw reason;
    throw new AssertionError({ message: `${meetings[n]?.title}: ${reason.message}` });
  }
  for (const site of new Set(sites)) await site.hadNoErrors();
}
