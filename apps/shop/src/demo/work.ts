import type { Observation } from './observer.js';
import type { ReplayState } from './replay.js';

/** The work that the handlers will have done in the end. A delivery is one message to one group. */
export interface WorkToDo {
  readonly deliveries: number;
  readonly mails: number;
}

export interface WorkDone {
  /** Deliveries of the messages stored so far. */
  readonly published: number;
  /** The deliveries that are handled or dead-lettered. */
  readonly settled: number;
  /** Mails that were sent. */
  readonly mailed: number;
  /** Whether everything published so far is settled, and the queue is empty. */
  readonly idle: boolean;
}

/** @param replay before the observation: what is placed meanwhile does not make it idle then */
export function workDone(
  { outbox, groups, jobs, mails }: Observation,
  replay: Pick<ReplayState, 'placed' | 'published' | 'deliveries'>,
): WorkDone {
  const states = Object.values(groups).filter((state) => state !== null);
  const inventory = groups['inventory']?.lag ?? replay.published;
  const notifications = groups['notifications']?.lag ?? replay.placed;
  return {
    published: replay.deliveries,
    settled: states.reduce((sum, state) => sum + state.handled + state.deadLettered, 0),
    mailed: mails,
    idle: outbox.waiting + inventory + notifications + jobs.waiting + jobs.active + jobs.delayed === 0,
  };
}

/** From 0 to 1. */
export function shareDone(done: WorkDone, toDo: WorkToDo): number {
  return Math.min(1, (done.settled + Math.min(done.mailed, toDo.mails)) / Math.max(1, toDo.deliveries + toDo.mails));
}
