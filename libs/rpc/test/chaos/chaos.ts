import { connectRedis, type RedisTarget, type Topology } from '@millrace/redis';
import { requestsKey } from '@millrace/rpc';
import {
  type ChaosSite, Crew, type Ending, type FaultCounts, seededRandom, startChaosSite, throughFaults, ToldProcess,
  type TopologyName, uniqueName, waitFor,
} from '@millrace/testing';
import { Calling, type CrewPlan, type ProcessCrew } from './calling.js';
import { drawFaults, type Scene, strike } from './faults.js';
import type { History } from './history.js';
import { Records, ServerRecords } from './records.js';
import { usedSlots } from './used-slots.js';
import { type Verdict, verdictOn } from './verdict.js';

const SERVER = new URL('./fixtures/server.ts', import.meta.url);
const LEASE_MS = 1_000;
const CONCURRENCY = 16;
const CALLERS = 2;
const STREAM = { service: 'shop', version: '1' };
/** How long requests may be left that nobody waits for. */
const EMPTY_WITHIN_MS = 30_000;

export interface ChaosOptions {
  readonly topology: TopologyName;
  /** Calls. */
  readonly messages: number;
  readonly faults: number;
  /** Processes that serve. */
  readonly workers: number;
  readonly seed: number;
}

export interface ChaosReport {
  readonly history: History;
  readonly verdict: Verdict;
  readonly faults: FaultCounts<string>;
  /** From the first call until no request was left. */
  readonly seconds: number;
}

/** Processes call and serve while random faults occur, spread evenly over the calls. */
export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const place = await startChaosSite(options.topology, { isClusterFollowed: true });
  try {
    return await chaosOn(place, options);
  } finally {
    await place.site.stop();
  }
}

async function chaosOn({ site, faults: faultsOf }: ChaosSite, options: ChaosOptions): Promise<ChaosReport> {
  const { messages, faults: count, workers, seed } = options;
  const records = new Records();
  const plan = { network: () => site.network(), prefix: uniqueName('chaos'), leaseMs: LEASE_MS, concurrency: CONCURRENCY };
  const direct = await connectRedis({ ...site.target, name: 'spec' });
  const servers = await startServers(records, { ...plan, size: workers });
  const calling = await Calling.start(records, { ...plan, size: CALLERS });
  const begunAt = performance.now();
  const random = seededRandom(seed);
  const crews = { caller: calling.crew, server: servers };
  const scene: Scene = { servers: faultsOf(random, () => usedSlots(site, plan.prefix)), crews, leaseMs: LEASE_MS, random };
  const course = { messages, random, progress: records.progress, faults: drawFaults(count, scene) };
  const run = async (): Promise<[FaultCounts<string>, number]> => {
    const send: Calling['send'] = (first, end) => calling.send(first, end);
    const counts = await throughFaults({ ...course, send, strike: (kind) => strike(kind, scene) });
    await calling.settled();
    return [counts, await leftIn(direct, requestsKey(plan.prefix, STREAM))];
  };
  const [faults, left] = await run().finally(() => calling.crew.leave().finally(() => servers.leave()));
  const seconds = (performance.now() - begunAt) / 1_000;
  direct.close();
  const history = records.history(left);
  return { history, verdict: verdictOn(history), faults, seconds };
}

function startServers(records: Records, { size, network, ...plan }: CrewPlan): Promise<ProcessCrew> {
  const start = async (target: RedisTarget): Promise<ToldProcess> => {
    const own = new ServerRecords(records);
    const process = await ToldProcess.start(SERVER, { ...plan, target }, own);
    void process.ended.then((ending) => own.ended(ending));
    return process;
  };
  return Crew.start<ToldProcess, Ending>({ size, network, start });
}

/** Requests that were given up are dropped when their turn comes. */
async function leftIn(redis: Topology, stream: string): Promise<number> {
  let left = -1;
  const isEmpty = async (): Promise<boolean> => (left = Number(await redis.controlFor(stream).call('XLEN', stream))) === 0;
  await waitFor(isEmpty, { what: 'no request to be left', timeoutMs: EMPTY_WITHIN_MS }).catch(() => undefined);
  return left;
}
