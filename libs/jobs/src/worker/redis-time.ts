import type { RedisQueueBackend } from 'bullmq';
import { RedisClock } from '../queue/redis-clock.js';

/** The scripts that take the time of the worker, with the place of that argument: behind the keys and one argument. */
const TIME_AT: ReadonlyMap<string, number> = new Map([
  ['moveToActive', 12],
  ['moveToDelayed', 12],
  ['retryJob', 12],
  ['moveToFinished', 15],
]);
/** The place in the answer of a fetching script that says when the next delayed job is due. */
const NEXT_DUE = 3;

type Backend = Pick<RedisQueueBackend, 'client' | 'toKey' | 'waitForJob' | 'execCommand'>;

/**
 * Makes a worker use Redis's clock. BullMQ's scripts take the time from their callers: jobs would begin too early, too late, or
 * after a wrong back-off, by as much as the clocks of producers and workers differ.
 */
export function goByRedisTime(backend: Backend): void {
  const clock = new RedisClock(backend);
  const exec = backend.execCommand.bind(backend);
  const wait = backend.waitForJob.bind(backend);
  const withLocalDue = (answer: unknown): unknown => localDue(answer, clock);
  backend.execCommand = (client, script, args: unknown[]): unknown => {
    const at = TIME_AT.get(script);
    if (at === undefined) return exec(client, script, args);
    const run = (time: number): Promise<unknown> => {
      // They are the arguments of this call alone.
      args[at] = time;
      return (exec(client, script, args) as Promise<unknown>).then(withLocalDue);
    };
    const time = timeOf(script, clock);
    return typeof time === 'number' ? run(time) : time.then(run);
  };
  backend.waitForJob = async (timeout) => {
    const marker = await wait(timeout);
    return marker && marker.score > 0 ? { ...marker, score: clock.local(marker.score) } : marker;
  };
}

/** A script that schedules an attempt gets the latest possible time, one that looks for due jobs the earliest. */
function timeOf(script: string, clock: RedisClock): number | Promise<number> {
  return script === 'moveToDelayed' ? clock.latest() : clock.earliest();
}

function localDue(answer: unknown, clock: RedisClock): unknown {
  const due: unknown = Array.isArray(answer) ? answer[NEXT_DUE] : undefined;
  return Number(due) > 0 ? (answer as unknown[]).with(NEXT_DUE, clock.local(Number(due))) : answer;
}
