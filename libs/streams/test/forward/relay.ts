import { waitFor } from '@millrace/testing';
import { topicOf } from '@millrace/core';
import type { Ground } from '../ground.js';
import { randomFrom } from './random.js';
import { A, B, C, D, STAGES } from './stages.js';
import { StageWorker } from './stage-worker.js';
import { countsOf, storedValues } from './stored-values.js';

export interface RelayPlan {
  readonly messages: number;
  /** Kills of processes and, every third time, cuts of all connections to Redis. */
  readonly kills: number;
  readonly workers: number;
  readonly leaseMs: number;
  readonly seed: number;
}

export interface RelayFigures {
  readonly killed: number;
  readonly cut: number;
  /** By stage. */
  readonly lost: readonly number[];
  readonly doubled: readonly number[];
}

const BATCH = 200;
const LONGEST_MS = 240_000;

/** Messages that go through four topics by handlers that forward, in processes that are killed meanwhile. */
export async function relay(ground: Ground, { messages, kills, workers, leaseMs, seed }: RelayPlan): Promise<RelayFigures> {
  const random = randomFrom(seed);
  const process = await ground.start({ leaseMs: 2_000 });
  for (const topic of [A, B, C, D]) await process.streams.declare(topicOf(topic));
  let [names, killed, cut, published] = [0, 0, 0, 0];
  const start = (): Promise<StageWorker> => {
    names += 1;
    return StageWorker.start({ url: ground.url, prefix: ground.prefix, leaseMs, name: `w${names}`, concurrency: 16, exact: true });
  };
  const crew = await Promise.all(Array.from({ length: workers }, start));
  // Messages come as long as there are faults.
  const mayPublish = (): boolean => killed + cut >= Math.min(kills, Math.floor((published / messages) * kills) - 1);
  const publishing = (async () => {
    while (published < messages) {
      await waitFor(mayPublish, { what: 'the next fault', timeoutMs: LONGEST_MS });
      const values = Array.from({ length: Math.min(BATCH, messages - published) }, (_, index) => published + index);
      await process.publisher.publishMany(A, values.map((value) => ({ payload: { value } })));
      published += values.length;
    }
  })();
  const reached = async (): Promise<number> => (await process.streams.inspector.group(C, 'g')).handled;
  for (let turn = 0; turn < kills; turn += 1) {
    const at = Math.floor((messages * (turn + random() * 0.9)) / kills);
    await waitFor(async () => (await reached()) >= Math.min(at, published - 1), { what: `stage c to have handled ${at}`, timeoutMs: LONGEST_MS });
    if (turn % 3 === 2) {
      await ground.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').catch(() => undefined);
      cut += 1;
    } else {
      const index = Math.floor(random() * crew.length);
      await crew[index]!.kill();
      crew[index] = await start();
      killed += 1;
    }
  }
  await publishing;
  const read = (name: string, ...args: (string | number)[]): Promise<unknown> => ground.read(name, ...args);
  const valuesOf = async (topic: typeof D): Promise<number[]> => (await storedValues(read, ground.prefix, topic)).flat();
  await waitFor(async () => {
    const states = await Promise.all(STAGES.map(({ from }) => process.streams.inspector.group(from, 'g')));
    return states.every(({ lag, forwarding }) => lag === 0 && forwarding === 0);
  }, { what: 'all stages to be done', timeoutMs: LONGEST_MS });
  await Promise.all(crew.map((worker) => worker.stop()));
  const counts = await Promise.all([B, C, D].map(async (topic) => countsOf(await valuesOf(topic), messages)));
  return { killed, cut, lost: counts.map(({ lost }) => lost), doubled: counts.map(({ doubled }) => doubled) };
}
