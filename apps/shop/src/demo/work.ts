import type { Observation } from './observer.js';
import type { ReplayState } from './replay.js';

/** The work that the handlers will have done in the end. A delivery is one message to one group. */
export interface WorkToDo {
  readonly deliveries: number;
  readonly mails: number;
}

export interface WorkDone {
  /** Deliveries of the messages published so far. */
  readonly published: number;
  /** The deliveries that are handled or dead-lettered. */
  readonly settled: number;
  /** Mails that were sent. */
  readonly mailed: number;
  /** Whether everything published so far is settled, and the queue is empty. */
  readonly idle: boolean;
}

/** @param replay before the observation: what is published meanwhile does not count as settled then */
export function workDone(
  { groups, jobs, mails }: Observation,
  replay: Pick<ReplayState, 'placed' | 'published' | 'deliveries'>,
): WorkDone {
  const inventory = groups['inventory']?.lag ?? replay.published;
  const notifications = groups['notifications']?.lag ?? replay.placed;
  return {
    published: replay.deliveries,
    settled: Math.max(0, replay.deliveries - inventory - notifications),
    mailed: mails,
    idle: inventory === 0 && notifications === 0 && jobs.waiting + jobs.active + jobs.delayed === 0,
  };
}

/** From 0 to 1. */
export function shareDone(done: WorkDone, toDo: WorkToDo): number {
  return Math.min(1, (done.settled + Math.min(done.mailed, toDo.mails)) / Math.max(1, toDo.deliveries + toDo.mails));
}
