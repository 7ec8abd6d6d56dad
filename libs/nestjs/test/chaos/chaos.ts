import {
  type FaultCounts, Progress, seededRandom, startTestRedis, TcpNetwork, type TestRedis, throughFaults, type ToldProcess,
  uniqueName,
} from '@millrace/testing';
import { connectDatabase, findDatabase, type RunningDatabase } from '@millrace/outbox';
import { Books } from './books.js';
import { type CrewPlan, startCrew } from './crews.js';
import { drawFaults, type Scene, strike } from './faults.js';
import type { History } from './history.js';
import { Observer } from './observer.js';
import { Placing } from './placing.js';
import type { ProcessPlan } from './plan.js';
import { Strikes } from './strikes.js';
import { type Verdict, verdictOn } from './verdict.js';

const PLACER = new URL('./fixtures/placer.ts', import.meta.url);
const WORKER = new URL('./fixtures/worker.ts', import.meta.url);
const LEASE_MS = 1_000;
const PLACERS = 2;
const CONCURRENCY = 8;

export interface ChaosOptions {
  /** Orders. */
  readonly messages: number;
  readonly faults: number;
  /** Processes that handle and relay. */
  readonly workers: number;
  readonly seed: number;
}

export interface ChaosReport {
  readonly history: History;
  readonly verdict: Verdict;
  readonly faults: FaultCounts<string>;
  /** From the first order until nothing was left. */
  readonly seconds: number;
}

/** Orders are placed and handled while processes are killed at each point of their transactions. */
export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const redis = await startTestRedis();
  const running = await findDatabase({ env: process.env });
  try {
    return await chaosOn({ redis, running }, options);
  } finally {
    await running.stop();
    await redis.stop();
  }
}

interface Ground {
  readonly redis: TestRedis;
  readonly running: RunningDatabase;
}

async function chaosOn({ redis, running }: Ground, { messages, faults, workers, seed }: ChaosOptions): Promise<ChaosReport> {
  const database = await connectDatabase({ url: running.url });
  const books = new Books(database);
  await books.make();
  const own = { databaseUrl: running.url, prefix: uniqueName('chaos'), leaseMs: LEASE_MS, concurrency: CONCURRENCY };
  const plan: CrewPlan<ProcessPlan> = { ...own, size: workers, network: () => TcpNetwork.toServer(redis.url) };
  const [strikes, progress, random] = [new Strikes(), new Progress(), seededRandom(seed)];
  const observer = await Observer.start({ ...own, target: { url: redis.url } });
  const seated = (_: number, process: ToldProcess): void => void strikes.follow(process);
  const worker = await startCrew(WORKER, plan, { heard: (_, words) => strikes.hear(words), seated });
  const reported = ([, order]: readonly string[]): number => Number(order);
  const placing = await Placing.start(PLACER, { ...plan, size: PLACERS }, { reported, heard: () => progress.advance(), seated });
  const begunAt = performance.now();
  const scene: Scene = { crews: { placer: placing.crew, worker }, leaseMs: LEASE_MS, random, strikes, missed: [] };
  const course = { messages, random, progress, faults: drawFaults(faults, random) };
  const run = async (): Promise<[FaultCounts<string>, History['left'], number]> => {
    const send: Placing['send'] = (first, end) => placing.send(first, end);
    const counts = await throughFaults({ ...course, send, strike: (fault) => strike(fault, scene) });
    await placing.placed();
    return [counts, await observer.left(), await observer.deadLetters()];
  };
  const [counts, left, deadLetters] = await run().finally(() => placing.crew.leave().finally(() => worker.leave()));
  const seconds = (performance.now() - begunAt) / 1_000;
  const { published, forwarded } = observer;
  await observer.stop();
  const rows = { placed: await books.placed(), effects: await books.effects() };
  await database.close();
  const history = { ...rows, published, forwarded, left, deadLetters, ...strikes.noted, missed: scene.missed };
  return { history, verdict: verdictOn(history), faults: counts, seconds };
}
