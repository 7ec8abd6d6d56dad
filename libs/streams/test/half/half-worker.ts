/** A point at which a process kills itself, as kill -9 does. */
export const PUBLISHER_ENDS = ['stored', 'written', 'commit sent', 'commit answered', 'store answered'] as const;
export const CHECKER_ENDS = ['asked', 'answer sent', 'answer stored'] as const;

export type WorkerEnd = (typeof PUBLISHER_ENDS)[number] | (typeof CHECKER_ENDS)[number];

export interface HalfWorkerPlan {
  readonly url: string;
  readonly prefix: string;
  /** The values that it publishes, one after the other. */
  readonly values: readonly number[];
  readonly end: WorkerEnd;
  /** The value at which it dies; a checker dies at the first that it is asked about. */
  readonly at: number;
}

/**
 * A hash that stands for the database of the application: value -> `yes` when the transaction took effect, `no` when it never
 * will.
 */
export function databaseKey(prefix: string): string {
  return `${prefix}:{database}`;
}
