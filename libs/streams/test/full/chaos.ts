import { topicOf } from '@millrace/core';
import type { GroupState } from '@millrace/streams';
import type { TcpProxy } from '@millrace/testing';
import type { Bed } from '../bed.js';
import type { Process } from '../fixture.js';
import { Numbered } from '../topics.js';
import { Crew } from './crew.js';
import { drained } from './drained.js';
import { strike } from './faults.js';
import { packingOf, randomOf, RUNS_A_MESSAGE } from './plan.js';
import { Records } from './records.js';
import { type Verdict, verdictOn } from './verdict.js';

const GROUP = 'g';
const LEASE_MS = 1_000;
const BATCH = 50;
/** How many messages publishing is ahead of the handlers, so that faults meet both at once. */
const AHEAD = 2_000;

export interface ChaosOptions {
  readonly messages: number;
  readonly faults: number;
  readonly workers: number;
  readonly concurrency: number;
  readonly seed: number;
}

export interface ChaosReport extends Verdict {
  readonly state: GroupState;
  /** How many times each fault occurred. */
  readonly faults: Readonly<Record<string, number>>;
  /** Workers that were asked to stop and did not end with code 0. */
  readonly badExits: number;
}

/** Processes publish and handle messages while random faults occur, spread evenly over the messages. */
export async function chaos(bed: Bed, options: ChaosOptions): Promise<ChaosReport> {
  const records = new Records();
  const { process: publisher, proxy: publishing } = await bed.startBehindProxy(packingOf(options.seed));
  await publisher.streams.declare(topicOf(Numbered));
  const crew = await Crew.start(bed, records, { ...options, group: GROUP, leaseMs: LEASE_MS, slowestMs: 0 });
  const looker = await bed.start();
  const work = async (): Promise<Record<string, number>> => {
    const counts = await underFaults({ bed, crew, publisher, publishing, records }, options);
    await drained(bed, looker, GROUP);
    return counts;
  };
  const faults = await work().finally(() => crew.leave());
  const verdict = verdictOn(await records.history(bed, looker, { topic: Numbered, group: GROUP }));
  const badExits = crew.endings.filter(({ code }) => code !== 0).length;
  return { ...verdict, state: await bed.state(looker, Numbered, GROUP), faults, badExits };
}

interface Stage {
  readonly bed: Bed;
  readonly crew: Crew;
  readonly publisher: Process;
  readonly publishing: TcpProxy;
  readonly records: Records;
}

/** Each share of the messages meets one fault, somewhere in its first half. */
async function underFaults(stage: Stage, { messages, faults, seed }: ChaosOptions): Promise<Record<string, number>> {
  const { bed, crew, publishing, records } = stage;
  const random = randomOf(seed);
  const share = messages / faults;
  const counts: Record<string, number> = {};
  let published = Promise.resolve();
  for (let count = 0; count < faults; count += 1) {
    const [first, end] = [Math.round(count * share), Math.round((count + 1) * share)];
    published = published.then(() => publish(stage, first, end));
    await records.progress(1 + Math.floor((random() * share) / 2));
    const name = await strike({ bed, crew, publishing, leaseMs: LEASE_MS, random });
    counts[name] = (counts[name] ?? 0) + 1;
  }
  await published;
  return counts;
}

async function publish({ publisher, records }: Stage, first: number, end: number): Promise<void> {
  for (let start = first; start < end; start += BATCH) {
    const values = Array.from({ length: Math.min(BATCH, end - start) }, (_, index) => start + index);
    await Promise.all(values.map((value) => publishOne(publisher, records, value)));
    await records.reached((start - AHEAD) * RUNS_A_MESSAGE);
  }
}

/** Publishes until the message is confirmed: its idempotency key makes repetitions safe. */
async function publishOne({ publisher }: Process, records: Records, value: number): Promise<void> {
  records.attempted.add(value);
  while (!records.confirmed.has(value)) {
    const published = publisher.publish(Numbered, { value }, { idempotencyKey: `k${value}` });
    await published.then(() => records.confirmed.add(value), () => undefined);
  }
}
