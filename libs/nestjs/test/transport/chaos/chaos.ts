import type { ServerTarget } from '@millrace/redis';
import {
  type ChaosSite, type FaultCounts, seededRandom, startChaosSite, throughFaults, type ToldProcess, uniqueName, waitFor,
} from '@millrace/testing';
import { type CrewPlan, startCrew } from '../../chaos/crews.js';
import { Placing } from '../../chaos/placing.js';
import { drawFaults, type Scene, strike } from './faults.js';
import type { History } from './history.js';
import { Observer } from './observer.js';
import type { ProcessPlan } from './plan.js';
import { begunIn, Records } from './records.js';
import { type Verdict, verdictOn } from './verdict.js';

const CLIENT = new URL('./fixtures/client.ts', import.meta.url);
const SERVER = new URL('./fixtures/server.ts', import.meta.url);
const LEASE_MS = 1_000;
const CLIENTS = 2;
const CONCURRENCY = 16;
/** How long after the last event or request has begun all may take to end: longer than each deadline. */
const SETTLED_WITHIN_MS = 40_000;

export interface ChaosOptions {
  /** Events and requests. */
  readonly messages: number;
  readonly faults: number;
  /** Applications with a MillraceServer. */
  readonly workers: number;
  /** Applications with a MillraceClient. Default 2. */
  readonly clients?: number;
  readonly seed: number;
}

export interface ChaosReport {
  readonly history: History;
  readonly verdict: Verdict;
  readonly faults: FaultCounts<string>;
  /** From the first event until nothing was left. */
  readonly seconds: number;
}

/** Nest applications emit, send, handle and answer while random faults occur. */
export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const place = await startChaosSite('standalone');
  try {
    return await chaosOn(place, options);
  } finally {
    await place.site.stop();
  }
}

async function chaosOn({ site, faults: faultsOf }: ChaosSite, options: ChaosOptions): Promise<ChaosReport> {
  const { messages, faults: count, workers, clients = CLIENTS, seed } = options;
  const [records, random, prefix] = [new Records(), seededRandom(seed), uniqueName('chaos')];
  const plan: CrewPlan<ProcessPlan> = {
    prefix, leaseMs: LEASE_MS, concurrency: CONCURRENCY, size: workers, network: () => site.network(),
  };
  const seated = (_: number, process: ToldProcess): void => {
    void process.ended.then((ending) => records.ended(process.pid, ending));
  };
  const seats = { seated, heard: (_: number, words: readonly string[]): void => records.hear(words) };
  const observer = await Observer.start(site.target as ServerTarget, prefix);
  const server = await startCrew(SERVER, plan, seats);
  const placing = await Placing.start(CLIENT, { ...plan, size: clients }, { ...seats, reported: begunIn });
  const begunAt = performance.now();
  const crews = { client: placing.crew, server };
  const servers = faultsOf(random, () => Promise.resolve([]));
  const scene: Scene = { crews, servers, struck: [], leaseMs: LEASE_MS, random };
  const course = { messages, random, progress: records.progress, faults: drawFaults(count, scene) };
  const run = async (): Promise<[FaultCounts<string>, Pick<History, 'left' | 'letters'>]> => {
    const send: Placing['send'] = (first, end) => placing.send(first, end);
    const counts = await throughFaults({ ...course, send, strike: (kind) => strike(kind, scene) });
    await ended(placing, records);
    return [counts, { left: await observer.left(), letters: await observer.letters() }];
  };
  const [faults, seen] = await run().finally(() => placing.crew.leave().finally(() => server.leave()));
  const seconds = (performance.now() - begunAt) / 1_000;
  await observer.stop();
  const history = records.history({ ...seen, faults: scene.struck });
  return { history, verdict: verdictOn(history), faults, seconds };
}

/** Those that do not end are counted by the verdict. */
async function ended(placing: Placing, records: Records): Promise<void> {
  await placing.placed();
  const what = 'all events and requests to end';
  await waitFor(() => records.areSettled, { what, timeoutMs: SETTLED_WITHIN_MS }).catch(() => undefined);
}
