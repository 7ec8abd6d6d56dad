import { afterEach, describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { type DeliveryContext, fixed, type OutgoingMessage, type PayloadClass, type Subscription, topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { rankOf } from '../src/group/rendezvous.js';
import { partitionOf } from '../src/publish/partitioner.js';
import { putBack } from '../src/redeliver/put-back.js';
import { Bed } from './bed.js';
import { type Rule, SelectiveProxy } from './crashes/selective-proxy.js';
import { type Process, signal, startProcess, subscribe } from './fixture.js';
import { numbers, Single, Wide } from './topics.js';

type Value = { value: number };

/** The tender of an idle group looks by itself about every 30 s: what comes sooner was not left to that. */
const LEASE_MS = 60_000;
const SOON = { timeoutMs: 8_000 };
const MESSAGES = 64;
/** Too few to make a member busy, which would look at once. */
const FEW = 5;
/** More than can wait to be read. */
const MANY = 300;
const tend = loadScript('../src/scripts/tend.lua', import.meta.url);
const retry = { attempts: 3, backoff: fixed('1s'), deadLetterOn: [] };
const ends: (() => Promise<unknown>)[] = [];

// Before the processes of the bed are stopped.
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
const bed = new Bed('tender-wakes');

interface Member {
  readonly process: Process;
  readonly subscription: Subscription;
}

type Handle = (payload: Value, context: DeliveryContext) => Promise<void>;

async function join(topic: PayloadClass, handle: Handle, started?: Process): Promise<Member> {
  const process = started ?? (await bed.start({ leaseMs: LEASE_MS }));
  return { process, subscription: await subscribe(process, { topic, group: 'g', retry, concurrency: MESSAGES }, handle) };
}

/** A member that reads nothing until it is resumed, and tends its share of the partitions. */
async function idleMember(topic: PayloadClass, started?: Process): Promise<Member & { readonly handled: ReadonlySet<number> }> {
  const handled = new Set<number>();
  const member = await join(topic, async ({ value }) => void handled.add(value), started);
  await member.subscription.pause();
  return { ...member, handled };
}

async function behindProxy(): Promise<{ process: Process; proxy: SelectiveProxy }> {
  const proxy = await SelectiveProxy.start(bed.url);
  const process = await startProcess(proxy.url, { prefix: bed.prefix, leaseMs: LEASE_MS });
  ends.push(async () => {
    proxy.pass();
    await process.stop();
    await proxy.stop();
  });
  return { process, proxy };
}

/** Keeps the answers to the next call that tends partitions, and what follows them. @returns resolves when there is one */
async function keepNextTend(proxy: SelectiveProxy): Promise<void> {
  const kept = signal();
  let isAsked = false;
  const rule: Rule = ({ name, direction, text }) => {
    if (!name.endsWith(':control')) return 'pass';
    if (direction === 'request') isAsked ||= text.includes(tend.sha);
    if (direction === 'request' || !isAsked) return 'pass';
    kept.fire();
    return 'keep';
  };
  proxy.follow(rule);
  await kept.promise;
}

/** Names of the members that Redis knows of. */
async function names(topic: PayloadClass): Promise<string[]> {
  const consumers = (await bed.command('XINFO', 'CONSUMERS', bed.place(topic, 'g').keys.log, 'g')) as [string, string][];
  return consumers.map(([, name]) => name);
}

function tends(member: string, members: readonly string[], key: string): boolean {
  return rankOf(member, members, key) === 0;
}

/** Which of so many messages are in partitions that the member tends. */
function valuesTendedBy(member: string, members: readonly string[], count: number): number[] {
  const { name, partitions } = topicOf(Wide);
  const partition = (value: number): number => partitionOf({ key: String(value) } as OutgoingMessage, partitions);
  return numbers(count).map((_, value) => value).filter((value) => tends(member, members, `${name}/g/${partition(value)}`));
}

function retrying(process: Process, count: number): Promise<unknown> {
  return waitFor(async () => (await bed.state(process, Wide, 'g')).retrying === count, { what: `${count} retries to wait` });
}

describe('a retry comes when it is due', () => {
  it('though the answer to a look that was sent before it was scheduled comes after that', async () => {
    const deaf = await behindProxy();
    deaf.proxy.follow(({ name, direction, text }) => (name.endsWith(':rings') && direction === 'reply' && text.includes('due g') ? 'lose' : 'pass'));
    const { process: idle } = await idleMember(Wide, deaf.process);
    const { process, proxy } = await behindProxy();
    const [failFirst, failAll] = [signal(), signal()];
    const again = new Set<number>();
    let begun = 0;
    await subscribe(process, { topic: Wide, group: 'g', retry, concurrency: MESSAGES }, async ({ value }: Value, { attempt }: DeliveryContext) => {
      if (attempt > 1) return void again.add(value);
      begun += 1;
      await (value === 0 ? failFirst : failAll).promise;
      throw new Error('at first');
    });
    await process.publisher.publishMany(Wide, numbers(MESSAGES));
    await waitFor(() => begun === MESSAGES, { what: 'all to begin' });
    const kept = keepNextTend(proxy);
    failFirst.fire();
    await kept;
    failAll.fire();
    await retrying(idle, MESSAGES);
    // Until the member has heard that they are stored.
    await wait(500);
    proxy.pass();
    await waitFor(() => again.size === MESSAGES, { what: 'all to come again', ...SOON });
  });

  it('though the member that scheduled it, and tended its partition, has left in order', async () => {
    const { subscription: staying, handled, process } = await idleMember(Wide);
    const [leaving, haveBegun] = [await bed.start({ leaseMs: LEASE_MS }), signal()];
    let begun = 0;
    // They wait together for long enough to be seen, on a busy machine as well.
    const options = { topic: Wide, group: 'g', retry: { ...retry, backoff: fixed('3s') }, concurrency: MESSAGES };
    await subscribe(leaving, options, async () => {
      begun += 1;
      if (begun === MESSAGES) haveBegun.fire();
      await haveBegun.promise;
      throw new Error('at first');
    });
    await process.publisher.publishMany(Wide, numbers(MESSAGES));
    await retrying(process, MESSAGES);
    staying.resume();
    // Until it has looked at everything, as it does after a pause.
    await wait(200);
    await leaving.stop(10_000);
    await waitFor(() => handled.size === MESSAGES, { what: 'all to come again', ...SOON });
  });
});

describe('a message that is made to wait', () => {
  it('comes when it is due, where another member tends its partition than the one that scheduled it and was killed', async () => {
    const { subscription: staying, handled, process } = await idleMember(Wide);
    const [stayer] = await names(Wide);
    const { process: killed } = await join(Wide, async () => {
      throw new Error('at first');
    });
    const tended = valuesTendedBy(stayer!, await names(Wide), FEW);
    await process.publisher.publishMany(Wide, numbers(FEW));
    await retrying(process, FEW);
    killed.vanish();
    staying.resume();
    await waitFor(() => tended.every((value) => handled.has(value)), { what: 'what it tends to come again', ...SOON });
  });

  it('comes as soon as there is room for it, whoever put it back', async () => {
    const { process } = await idleMember(Single);
    const { keys: { log }, streams: [stream], groupKeys: { again } } = bed.place(Single, 'g');
    const [tender] = await names(Single);
    // It counts as a member, and must not be the one that tends the partition.
    const others = numbers(100).map(({ payload }) => `other-${payload.value}`);
    const owner = others.find((name) => tends(tender!, [tender!, name], `${topicOf(Single).name}/g/0`))!;
    await process.publisher.publishMany(Single, numbers(MANY));
    const read = (key: string): Promise<unknown> => bed.command('XREADGROUP', 'GROUP', 'g', owner, 'STREAMS', key, '>');
    await read(log);
    expect(await putBack({ redis: process.redis.control, prefix: bed.prefix }, stream, { owner, fate: 'living' })).toBe(MANY);
    await read(again);
    await waitFor(() => read(again), { what: 'the rest', ...SOON });
  });
});

describe('a message that a member left behind', () => {
  it('comes to another as soon as the member has said that it is gone', async () => {
    const { subscription: staying, handled, process } = await idleMember(Single);
    const [stayer] = await names(Single);
    const { subscription: leaving } = await idleMember(Single);
    const leaver = (await names(Single)).find((name) => name !== stayer)!;
    await process.publisher.publishMany(Single, numbers(FEW));
    // As if the reply that brought them was lost.
    await bed.command('XREADGROUP', 'GROUP', 'g', leaver, 'STREAMS', bed.place(Single, 'g').keys.log, '>');
    staying.resume();
    await leaving.stop(10_000);
    await waitFor(() => handled.size === FEW, { what: 'all to come', ...SOON });
  });
});
