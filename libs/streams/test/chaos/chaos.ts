import type { GroupState } from '@millrace/streams';
import type { Process } from '../fixture.js';
import { ChaosGround } from './chaos-ground.js';
import { Crew } from './crew.js';
import { drained } from './drained.js';
import { drawFaults, type FaultKind, strike } from './faults.js';
import { type Mode, randomOf } from './plan.js';
import { Publishing } from './publishing.js';
import { Records, Standstill } from './records.js';
import { Skewed } from './skewed.js';
import { type History, type Verdict, verdictOn } from './verdict.js';

const GROUP = 'g';
const LEASE_MS = 1_000;
const SLOWEST_MS = 4;
export const CONCURRENCY = 16;

export interface ChaosOptions {
  readonly mode: Mode;
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
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** From the first publish until no message was left. */
  readonly seconds: number;
  /** Vanished processes, summed over the messages that a handler was given after it. */
  readonly crashes: number;
  /** Workers that were asked to stop and did not end with code 0. */
  readonly badExits: number;
}

/** Processes publish and handle messages while random faults occur, spread evenly over the messages. */
export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const ground = new ChaosGround();
  await ground.open();
  try {
    return await chaosOn(ground, options);
  } finally {
    await ground.clear();
    await ground.close();
  }
}

async function chaosOn(ground: ChaosGround, options: ChaosOptions): Promise<ChaosReport> {
  const { mode, workers, seed } = options;
  const records = new Records();
  const publishing = await Publishing.start(ground, records, seed);
  const behaviour = { mode, group: GROUP, leaseMs: LEASE_MS, concurrency: CONCURRENCY, slowestMs: SLOWEST_MS };
  const crew = await Crew.start(ground, records, { ...behaviour, workers });
  const looker = await ground.start();
  const begunAt = performance.now();
  const faults = await throughFaults({ ground, crew, publishing, records, looker }, options).finally(() => crew.leave());
  const seconds = (performance.now() - begunAt) / 1_000;
  const history = await records.history(ground, looker, { mode, topic: Skewed, group: GROUP });
  const state = await ground.state(looker, Skewed, GROUP);
  const badExits = crew.endings.filter(({ code }) => code !== 0).length;
  return { history, verdict: verdictOn(history), state, faults, seconds, crashes: crashesIn(history), badExits };
}

interface Stage {
  readonly ground: ChaosGround;
  readonly crew: Crew;
  readonly publishing: Publishing;
  readonly records: Records;
  readonly looker: Process;
}

/** A standstill ends it early: the verdict then counts the messages that are left. */
async function throughFaults(stage: Stage, options: ChaosOptions): Promise<ChaosReport['faults']> {
  const counts: Partial<Record<FaultKind, number>> = {};
  try {
    await underFaults(stage, options, (kind) => (counts[kind] = (counts[kind] ?? 0) + 1));
  } catch (thrown) {
    if (!(thrown instanceof Standstill)) throw thrown;
  }
  await drained(stage.ground, stage.looker, GROUP);
  return counts;
}

/** Each share of the messages meets one fault, somewhere in its first half. */
async function underFaults(stage: Stage, options: ChaosOptions, count: (kind: FaultKind) => void): Promise<void> {
  const { ground, crew, publishing, records } = stage;
  const random = randomOf(options.seed);
  const kinds = drawFaults(options.faults, random, ground.canStep);
  const share = options.messages / Math.max(1, kinds.length);
  const starts = Array.from({ length: Math.max(1, kinds.length) }, (_, index) => Math.round(index * share));
  let published = Promise.resolve();
  for (const [index, first] of starts.entries()) {
    const end = starts[index + 1] ?? options.messages;
    published = published.then(() => publishing.publish(first, end));
    // The loop below may end by another error first.
    published.catch(() => undefined);
    await records.progress(1 + Math.floor((random() * share) / 2));
    const kind = kinds[index];
    if (!kind) continue;
    await strike(kind, { ground, crew, publishing: publishing.proxies, leaseMs: LEASE_MS, random });
    count(kind);
  }
  await published;
}

function crashesIn({ runs }: History): number {
  const most = new Map<number, number>();
  for (const { value, crashes } of runs) most.set(value, Math.max(most.get(value) ?? 0, crashes));
  return [...most.values()].reduce((sum, crashes) => sum + crashes, 0);
}
