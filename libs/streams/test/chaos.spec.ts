import { expect, it } from '@jest/globals';
import { type DeliveryContext, fixed, topicOf } from '@millrace/core';
import type { TcpProxy } from '@millrace/testing';
import { Bed } from './bed.js';
import { type Process, subscribe } from './fixture.js';
import { packingOf, randomOf, seedOf } from './full/plan.js';
import { Ledger } from './ledger.js';
import { Numbered } from './topics.js';

type Value = { value: number };
/** At the least: messages come until there were as many faults. A replaced worker takes the time of hundreds of messages. */
const MESSAGES = 10_000;
const FAULTS = 35;
const WORKERS = 3;
const bed = new Bed('chaos', { appendonly: 'always' });
const seed = seedOf();

interface Worker {
  readonly process: Process;
  readonly proxy: TcpProxy;
}

function isPoison(value: number): boolean {
  return value % 100 === 7;
}

async function startWorker(ledger: Ledger): Promise<Worker> {
  const worker = await bed.startBehindProxy({ leaseMs: 1_000, messagesPerEntry: 1 });
  const retry = { attempts: 3, backoff: fixed('20ms'), deadLetterOn: [] };
  await subscribe(worker.process, { topic: Numbered, group: 'g', concurrency: 8, retry, crashLimit: 50 }, async ({ value }: Value, ctx: DeliveryContext) => {
    ledger.handled(value, ctx.attempt);
    if (isPoison(value) || (value % 10 === 3 && ctx.attempt === 1)) throw new Error('as planned');
  });
  return worker;
}

/** Each fault ends by itself; a worker that ended is replaced. */
function faultsOf(workers: Worker[], ledger: Ledger): ((index: number) => Promise<void>)[] {
  const replace = async (index: number): Promise<void> => void (workers[index] = await startWorker(ledger));
  return [
    async (index) => workers[index]!.proxy.reset(),
    async (index) => {
      const { proxy } = workers[index]!;
      await proxy.dropReplies();
      await proxy.pass();
    },
    async (index) => {
      const { proxy } = workers[index]!;
      await proxy.refuse();
      await ledger.progress(20);
      await proxy.pass();
    },
    async (index) => {
      const { proxy } = workers[index]!;
      proxy.blackHole();
      await ledger.progress(20);
      proxy.reset();
      await proxy.pass();
    },
    async (index) => {
      workers[index]!.process.vanish();
      await replace(index);
    },
    async (index) => {
      await workers[index]!.process.stop(500);
      await replace(index);
    },
  ];
}

/** @returns how many messages it published */
async function publishAll(publisher: Process, ledger: Ledger, faults: () => number): Promise<number> {
  let first = 0;
  for (; first < MESSAGES || faults() < FAULTS; first += 50) {
    const values = Array.from({ length: 50 }, (_, index) => first + index);
    values.forEach((value) => ledger.attempted(value));
    // The key makes a publish safe to repeat when Redis did not say whether it stored the message.
    const publish = (value: number): Promise<unknown> => publisher.publisher.publish(Numbered, { value }, { idempotencyKey: `k${value}` });
    await Promise.all(values.map((value) => publish(value).catch(() => publish(value)).then(() => ledger.confirmed(value))));
    // Not far ahead of the workers, so that faults meet publishing and handling at once.
    await ledger.reached(first - 100);
  }
  return first;
}

async function entriesPerKey(): Promise<number> {
  const counts = new Map<string, number>();
  for (const partition of [0, 1, 2]) {
    const entries = (await bed.command('XRANGE', bed.place(Numbered, 'g', partition).keys.log, '-', '+')) as [string, string[]][];
    for (const [, [, text = '']] of entries) for (const [, , , key] of JSON.parse(text) as [number, string, null, string][]) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts.values()].filter((count) => count > 1).length;
}

it(`keeps I1, I2, I3, I6, I7 and I8 over ${MESSAGES} messages or more and ${FAULTS} faults or more at random (seed ${seed})`, async () => {
  const random = randomOf(seed);
  const ledger = new Ledger();
  const watcher = await bed.start();
  const { process: publisher, proxy } = await bed.startBehindProxy(packingOf(seed));
  await publisher.streams.declare(topicOf(Numbered));
  const workers: Worker[] = await Promise.all(Array.from({ length: WORKERS }, () => startWorker(ledger)));
  const faults = faultsOf(workers, ledger);
  let published = false;
  let count = 0;
  const publishing = publishAll(publisher, ledger, () => count).finally(() => (published = true));
  while (!published) {
    await Promise.race<unknown>([ledger.progress(20 + Math.floor(random() * 60)), publishing]);
    if (random() < 0.2) proxy.reset();
    else await Promise.race<unknown>([faults[Math.floor(random() * faults.length)]!(Math.floor(random() * WORKERS)), publishing]);
    count += 1;
  }
  const messages = await publishing;
  await Promise.all(workers.map(({ proxy: network }) => network.pass()));
  await bed.drained(watcher, Numbered, 'g', 30_000);

  const dead = await watcher.streams.inspector.deadLetters(topicOf(Numbered), 'g', 1_000);
  const state = await bed.state(watcher, Numbered, 'g');
  const verdict = ledger.verdict(dead, isPoison);
  const duplicates = await entriesPerKey();
  console.log(`N=${messages} faults=${count} seed=${seed} lost=${verdict.lost} phantom=${verdict.phantom} dup_entries=${duplicates} reruns=${verdict.reruns} ` +
    `stuck=${state.lag + state.pending + state.retrying} fenced=${state.fenced} redelivered=${state.redelivered} bad_dead_letters=${verdict.badDeadLetters}`);
  expect({ ...verdict, reruns: 0, duplicates }).toEqual({ lost: 0, phantom: 0, reruns: 0, badDeadLetters: 0, duplicates: 0 });
  const poisoned = Array.from({ length: messages }, (_, value) => value).filter(isPoison).length;
  expect(state).toMatchObject({ handled: messages - poisoned, deadLettered: poisoned, lag: 0, pending: 0, retrying: 0, lost: 0 });
}, 240_000);
