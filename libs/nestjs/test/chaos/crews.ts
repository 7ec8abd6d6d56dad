import { setTimeout } from 'node:timers/promises';
import type { RedisTarget } from '@millrace/redis';
import { Crew, type Ending, type Network, type Place, ToldProcess } from '@millrace/testing';
import type { ProcessPlan } from './plan.js';
import type { Role } from './points.js';

export type ProcessCrew = Crew<ToldProcess, Ending>;

export interface CrewPlan extends Omit<ProcessPlan, 'target'> {
  readonly size: number;
  readonly network: () => Promise<Network>;
}

/** How processes ended. */
export class Deaths {
  /** Those that were killed, or killed themselves. */
  readonly pids: number[] = [];
  badExits = 0;

  async follow(process: ToldProcess): Promise<void> {
    const { code } = await process.ended;
    if (code === null) this.pids.push(process.pid);
    else if (code !== 0) this.badExits += 1;
  }
}

/** Is told of the processes of a crew; places count from 0. */
export interface Seats {
  readonly deaths: Deaths;
  readonly heard: (place: number, words: readonly string[]) => void;
  readonly seated: (place: number, process: ToldProcess) => void;
}

/** Processes of one role. */
export function startCrew(role: Role, { size, network, ...plan }: CrewPlan, seats: Seats): Promise<ProcessCrew> {
  const { deaths, heard, seated } = seats;
  const file = new URL(`./fixtures/${role}.ts`, import.meta.url);
  const start = async (target: RedisTarget, place: number): Promise<ToldProcess> => {
    const process = await ToldProcess.start(file, { ...plan, target }, { heard: (words) => heard(place, words) });
    void deaths.follow(process);
    seated(place, process);
    return process;
  };
  return Crew.start<ToldProcess, Ending>({ size, network, start });
}

/** A process that has not passed its point so much later is killed where it is. */
const PASSED_WITHIN_MS = 15_000;

/** Has the process kill itself at a point, and another one take its place. */
export async function dieAt(crew: ProcessCrew, place: Place<ToldProcess>, point: string): Promise<void> {
  place.process.tell(`arm ${point}`);
  const late = new AbortController();
  const { signal } = late;
  await Promise.race([place.process.ended, setTimeout(PASSED_WITHIN_MS, undefined, { signal }).catch(() => undefined)]);
  late.abort();
  await crew.kill(place);
}
