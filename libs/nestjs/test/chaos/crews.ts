import { setTimeout } from 'node:timers/promises';
import type { RedisTarget } from '@millrace/redis';
import { Crew, type Ending, type Network, type Place, ToldProcess } from '@millrace/testing';

export type ProcessCrew = Crew<ToldProcess, Ending>;

/** The argument of each process, but for its `place` and for the Redis that it reaches through a network of its own. */
export type CrewPlan<Plan> = Omit<Plan, 'target' | 'place'> & {
  readonly size: number;
  readonly network: () => Promise<Network>;
};

/** Is told of the processes of a crew; places count from 0. */
export interface Seats {
  readonly heard: (place: number, words: readonly string[]) => void;
  readonly seated: (place: number, process: ToldProcess) => void;
}

/** Processes that run one file. */
export function startCrew<Plan>(file: URL, crewPlan: CrewPlan<Plan>, { heard, seated }: Seats): Promise<ProcessCrew> {
  const { size, network, ...plan } = crewPlan;
  const start = async (target: RedisTarget, place: number): Promise<ToldProcess> => {
    const process = await ToldProcess.start(file, { ...plan, target, place }, { heard: (words) => heard(place, words) });
    seated(place, process);
    return process;
  };
  return Crew.start<ToldProcess, Ending>({ size, network, start });
}

/** A process that has not passed its point so much later is killed where it is. */
const PASSED_WITHIN_MS = 15_000;

/**
 * Has the process kill itself at a point, and another one take its place.
 *
 * @returns whether it came to the point
 */
export async function dieAt(crew: ProcessCrew, place: Place<ToldProcess>, point: string): Promise<boolean> {
  place.process.tell(`arm ${point}`);
  const late = new AbortController();
  const { signal } = late;
  const isLate = setTimeout(PASSED_WITHIN_MS, true, { signal }).catch(() => false);
  const isPassed = await Promise.race([place.process.ended.then(() => true), isLate.then((late) => !late)]);
  late.abort();
  await crew.kill(place);
  return isPassed;
}
