import { topicOf } from '@millrace/core';
import type { GroupState } from '@millrace/streams';
import { type FaultCounts, seededRandom, throughFaults, type TopologyName } from '@millrace/testing';
import type { Process } from '../fixture.js';
import { partitionsOf } from '../../src/log/topic-log.js';
import { ChaosGround } from './chaos-ground.js';
import { drained } from './drained.js';
import { drawFaults, type Scene, strike } from './faults.js';
import type { Mode } from './plan.js';
import { Publishing } from './publishing.js';
import { Records } from './records.js';
import { Skewed } from './skewed.js';
import { type History, type Verdict, verdictOn } from './verdict.js';
import { startWorkers } from './workers.js';

const GROUP = 'g';
const LEASE_MS = 1_000;
const SLOWEST_MS = 4;
export const CONCURRENCY = 16;

export interface ChaosOptions {
  readonly mode: Mode;
  readonly topology: TopologyName;
  readonly messages: number;
  readonly faults: number;
  readonly workers: number;
  readonly seed: number;
}

export interface ChaosReport {
  readonly history: History;
  readonly verdict: Verdict;
  readonly state: GroupState;
  /** How many times each fault occurred. */
  readonly faults: FaultCounts<string>;
  /** From the first publish until no message was left. */
  readonly seconds: number;
  /** Vanished processes, summed over the messages that a handler was given after it. */
  readonly crashes: number;
  /** Workers that were asked to stop and did not end with code 0. */
  readonly badExits: number;
}

/** Processes publish and handle messages while random faults occur, spread evenly over the messages. */
export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const ground = await ChaosGround.open(options.topology);
  try {
    return await chaosOn(ground, options);
  } finally {
    await ground.close();
  }
}

async function chaosOn(ground: ChaosGround, options: ChaosOptions): Promise<ChaosReport> {
  const { mode, topology } = options;
  const records = new Records();
  const publishing = await Publishing.start(ground, records, options);
  const behaviour = { mode, topology, group: GROUP, leaseMs: LEASE_MS, concurrency: CONCURRENCY, slowestMs: SLOWEST_MS };
  const workers = await startWorkers(ground, records, { ...behaviour, workers: options.workers });
  const looker = await ground.start();
  const begunAt = performance.now();
  const faults = await throughAll({ ground, workers, publishing, records, looker }, options).finally(() => workers.leave());
  const seconds = (performance.now() - begunAt) / 1_000;
  const history = await records.history(ground, looker, { mode, topic: Skewed, group: GROUP });
  const state = await ground.state(looker, Skewed, GROUP);
  const badExits = workers.endings.filter(({ code }) => code !== 0).length;
  return { history, verdict: verdictOn(history), state, faults, seconds, crashes: crashesIn(history), badExits };
}

interface Stage extends Pick<Scene, 'workers'> {
  readonly ground: ChaosGround;
  readonly publishing: Publishing;
  readonly records: Records;
  readonly looker: Pick<Process, 'streams'>;
}

/** A standstill ends it early: the verdict then counts the messages that are left. */
async function throughAll({ publishing, records, looker, ...stage }: Stage, options: ChaosOptions): Promise<ChaosReport['faults']> {
  const random = seededRandom(options.seed);
  const logs = partitionsOf(topicOf(Skewed)).map((partition) => stage.ground.place(Skewed, GROUP, partition).keys.log);
  const servers = stage.ground.faults(random, logs);
  const scene = { ...stage, publishing: publishing.networks, servers, leaseMs: LEASE_MS, random };
  const counts = await throughFaults({
    messages: options.messages,
    faults: drawFaults(options.faults, scene),
    random,
    progress: records.progress,
    send: (first, end) => publishing.publish(first, end),
    strike: (kind) => strike(kind, scene),
  });
  await drained(stage.ground, looker, GROUP);
  return counts;
}

function crashesIn({ runs }: History): number {
  const most = new Map<number, number>();
  for (const { value, crashes } of runs) most.set(value, Math.max(most.get(value) ?? 0, crashes));
  return [...most.values()].reduce((sum, crashes) => sum + crashes, 0);
}
