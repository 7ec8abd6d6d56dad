import type { RedisTarget } from '@millrace/redis';
import { Crew, type Ending, type Network, ToldProcess, waitFor } from '@millrace/testing';
import { LONG_MS, type ProcessPlan, requestIdOf } from './plan.js';
import { CallerRecords, type Records } from './records.js';

const CALLER = new URL('./fixtures/caller.ts', import.meta.url);

export type ProcessCrew = Crew<ToldProcess, Ending>;

export interface CrewPlan extends Omit<ProcessPlan, 'target'> {
  readonly size: number;
  readonly network: () => Promise<Network>;
}

/** How long after the last deadline a call may settle: a process may have been frozen, and the machine may be busy. */
const PATIENCE_MS = 20_000;

/** A place in the crew of callers: the calls that its process is to make, or has made. */
interface Desk {
  calls: readonly number[];
  process: ToldProcess | null;
  records: CallerRecords | null;
}

/** Processes that call. One that is replaced leaves its successor the calls that it has not begun. */
export class Calling {
  readonly crew: ProcessCrew;
  readonly #desks: readonly Desk[];

  private constructor(crew: ProcessCrew, desks: readonly Desk[]) {
    this.crew = crew;
    this.#desks = desks;
  }

  static async start(records: Records, { size, network, ...plan }: CrewPlan): Promise<Calling> {
    const desks = Array.from({ length: size }, (): Desk => ({ calls: [], process: null, records: null }));
    const start = (target: RedisTarget, place: number): Promise<ToldProcess> =>
      seated(desks[place]!, records, { ...plan, target });
    return new Calling(await Crew.start<ToldProcess, Ending>({ size, network, start }), desks);
  }

  /** Shares the calls out from `first` to before `end`. */
  send(first: number, end: number): Promise<void> {
    const calls = Array.from({ length: end - first }, (_, index) => first + index);
    for (const [index, desk] of this.#desks.entries()) {
      const own = calls.filter((call) => call % this.#desks.length === index);
      desk.calls = [...desk.calls, ...own];
      tell(desk, own);
    }
    return Promise.resolve();
  }

  /** Resolves when every call has settled; those are marked that have not, long after their deadlines. */
  async settled(): Promise<void> {
    const isSettled = (): boolean => this.#desks.every(({ calls, records }) => records!.settled === calls.length);
    const timeoutMs = LONG_MS + PATIENCE_MS;
    await waitFor(isSettled, { what: 'all calls to settle', timeoutMs }).catch(() => {
      for (const { records } of this.#desks) for (const call of records!.open) call.isHanging = true;
    });
  }
}

/** Starts a process for the desk. The calls of a killed one that can be repeated are made again: their requests have names. */
async function seated(desk: Desk, all: Records, plan: ProcessPlan): Promise<ToldProcess> {
  const before = desk.records;
  const records = new CallerRecords(all);
  const process = await ToldProcess.start(CALLER, plan, records);
  void process.ended.then((ending) => records.ended(ending));
  const again = before?.open.map(({ call }) => call).filter((call) => requestIdOf(call) !== undefined) ?? [];
  desk.calls = [...again, ...desk.calls.filter((call) => !before?.has(call))];
  Object.assign(desk, { process, records });
  tell(desk, desk.calls);
  return process;
}

/** One that has ended, or is about to, does not hear of them: its successor will. */
function tell({ process }: Desk, calls: readonly number[]): void {
  if (calls.length > 0) process?.tell(calls.join(' '));
}
