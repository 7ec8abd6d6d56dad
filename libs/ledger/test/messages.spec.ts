import { describe, expect, it } from '@jest/globals';
import { batchPipeline, type DeliveryContext, fixed, Publisher, topicOf } from '@millrace/core';
import { LEDGER_SHARDS } from '@millrace/ledger';
import { type GroupState, sumStates } from '@millrace/streams';
import { TypeScriptChild, waitFor } from '@millrace/testing';
import { PeerBed } from './peer-bed.js';
import { GROUP, type Handle, Paid, prepareSubscriber, startSubscriber, type Subscriber, type SubscriberOptions } from './subscriber.js';

const LEASE_MS = 1_500;
const bed = new PeerBed('ledger-messages', LEASE_MS);

type Tuning = Partial<SubscriberOptions>;

async function subscriber(handle: Handle, tuning: Tuning = {}): Promise<Subscriber> {
  const started = await startSubscriber({ ...bed.options, ...tuning }, handle);
  bed.endWith(() => started.stop());
  return started;
}

/** A process of its own, which has subscribed. Its handler waits until the process is told to go on. */
async function child(plan: Tuning & { diesWhenDone?: boolean } = {}): Promise<TypeScriptChild> {
  const args = [JSON.stringify({ ...bed.options, ...plan })];
  const started = new TypeScriptChild(new URL('./fixtures/subscriber.ts', import.meta.url), { args });
  bed.endWith(() => started.kill());
  expect(await started.line()).toBe('ready');
  return started;
}

async function publisher(): Promise<Publisher> {
  const { streams, stop } = await prepareSubscriber(bed.options);
  bed.endWith(() => stop());
  return new Publisher(streams);
}

async function publish(orders: readonly string[]): Promise<void> {
  await (await publisher()).publishMany(Paid, orders.map((order) => ({ payload: { order } })));
}

async function state({ streams }: Pick<Subscriber, 'streams'>): Promise<GroupState> {
  const states = await streams.inspector.partitions(topicOf(Paid), GROUP);
  return sumStates(states.flatMap((each) => each ?? []));
}

/** How messages were settled: by their handler, without it, or as dead letters. */
async function settled(one: Pick<Subscriber, 'streams'>, count: number): Promise<Record<'ran' | 'deduplicated' | 'deadLettered', number>> {
  return waitFor(async () => {
    const { lag, handled, deduplicated, deadLettered } = await state(one);
    const isDone = lag === 0 && handled + deadLettered >= count;
    return isDone ? { ran: handled - deduplicated, deduplicated, deadLettered } : null;
  }, { what: `${count} messages to be settled` });
}

const effects = async (order: string): Promise<number> => Number(await bed.command('GET', `${bed.prefix}:effects:${order}`));

describe('messages with the same key', () => {
  it('are handled once, though eight processes have them at once', async () => {
    const watching = await prepareSubscriber(bed.options);
    bed.endWith(() => watching.stop());
    const children = await Promise.all(Array.from({ length: 8 }, () => child()));
    await publish(Array.from({ length: 64 }, (_, index) => (index % 2 === 0 ? 'one' : 'other')));
    const lines = children.map((each) => each.line());
    for (const line of lines) line.catch(() => undefined);
    await waitFor(async () => (await effects('one')) + (await effects('other')) === 2, { what: 'both orders to be begun' });
    // While the two are at work, the others come again and again.
    await waitFor(async () => (await state(watching)).retrying > 0, { what: 'others to wait' });
    children.forEach((each) => each.tell('go'));
    expect(await settled(watching, 64)).toMatchObject({ ran: 2, deduplicated: 62, deadLettered: 0 });
    expect([await effects('one'), await effects('other')]).toEqual([1, 1]);
  });

  it('are handled again by another when the process that had one is killed at work', async () => {
    const killed = await child();
    await publish(['a']);
    expect(await killed.line()).toBe('begun a 1 1');
    const seen: number[] = [];
    const one = await subscriber(async (_, { attempt }) => void seen.push(attempt));
    await killed.kill();
    expect(await settled(one, 1)).toMatchObject({ ran: 1, deduplicated: 0 });
    expect(seen).toEqual([1]);
    expect(one.ledger.counters).toMatchObject({ takenOver: 1, completed: 1 });
  });

  it('are not handled again when the process died between the record and the settlement', async () => {
    const killed = await child({ diesWhenDone: true });
    await publish(['a']);
    expect(await killed.line()).toBe('begun a 1 1');
    killed.tell('go');
    await killed.ended;
    const seen: string[] = [];
    const one = await subscriber(async ({ order }) => void seen.push(order));
    expect(await settled(one, 1)).toMatchObject({ ran: 0, deduplicated: 1 });
    expect([seen, await effects('a')]).toEqual([[], 1]);
  });

  it('are handled again when the first attempt failed, and not after the one that succeeds', async () => {
    const attempts: number[] = [];
    const one = await subscriber(async (_, { attempt }) => {
      attempts.push(attempt);
      if (attempt === 1) throw new Error('as planned');
    });
    await publish(['a']);
    await settled(one, 1);
    await publish(['a']);
    expect(await settled(one, 2)).toMatchObject({ ran: 1, deduplicated: 1 });
    expect(attempts).toEqual([1, 2]);
    expect(one.ledger.counters).toMatchObject({ released: 1, completed: 1, repeated: 1 });
  });

  it('are handled after one that became a dead letter', async () => {
    let isIll = true;
    const one = await subscriber(async () => {
      if (isIll) throw new Error('as planned');
    }, { attempts: 1 });
    await publish(['a']);
    expect(await settled(one, 1)).toMatchObject({ deadLettered: 1 });
    isIll = false;
    await publish(['a']);
    expect(await settled(one, 2)).toMatchObject({ ran: 1, deadLettered: 1 });
  });

  it('are handled in order, one after the other, in an ordered group', async () => {
    const seen: string[] = [];
    const handle: Handle = async ({ order }) => void seen.push(order);
    const tuning: Tuning = { isOrdered: true, keyOf: (payload) => (payload as Paid).order.split('.')[1] };
    const [one] = [await subscriber(handle, tuning), await subscriber(handle, tuning)];
    await publish(['a.1', 'a.2', 'a.3', 'b.1', 'b.2', 'b.3', 'a.4', 'b.4']);
    expect(await settled(one, 8)).toMatchObject({ ran: 4, deduplicated: 4 });
    expect(seen.map((order) => order.split('.')[1]).sort()).toEqual(['1', '2', '3', '4']);
    for (const letter of ['a', 'b']) {
      const own = seen.filter((order) => order.startsWith(letter));
      expect(own).toEqual([...own].sort());
    }
  });

  it('are released when their process stops, and begun by another at once', async () => {
    let tell = (): void => undefined;
    const begun = new Promise<void>((resolve) => (tell = resolve));
    const one = await subscriber(() => {
      tell();
      return new Promise(() => undefined);
    });
    await publish(['a']);
    await begun;
    const other = await subscriber(async () => undefined);
    await one.stop(0);
    expect(await settled(other, 1)).toMatchObject({ ran: 1 });
    expect(other.ledger.counters).toMatchObject({ takenOver: 0, completed: 1 });
  });
});

describe('a group that is set back', () => {
  it('skips what is done, and handles it again, once, when the seek is forced', async () => {
    const seen: string[] = [];
    const one = await subscriber(async ({ order }, { replayed }) => void seen.push(`${order}${replayed ? ' again' : ''}`));
    await publish(['a', 'a', 'b']);
    await settled(one, 3);
    const seek = (force: boolean): Promise<unknown> => one.streams.groups.seek(Paid, GROUP, { to: 'earliest', force });
    await seek(false);
    expect(await settled(one, 6)).toMatchObject({ ran: 2, deduplicated: 4 });
    await seek(true);
    expect(await settled(one, 9)).toMatchObject({ ran: 4, deduplicated: 5 });
    expect(seen.sort()).toEqual(['a', 'a again', 'b', 'b again']);
    await seek(true);
    expect(await settled(one, 12)).toMatchObject({ ran: 6, deduplicated: 6 });
    await seek(false);
    expect(await settled(one, 15)).toMatchObject({ ran: 6, deduplicated: 9 });
  });

  it('handles a message of a forced replay when it was given up and redriven to the topic', async () => {
    let isIll = false;
    const seen: DeliveryContext[] = [];
    const one = await subscriber(async (_, context) => {
      if (isIll) throw new Error('as planned');
      seen.push(context);
    }, { attempts: 1 });
    await publish(['a']);
    await settled(one, 1);
    isIll = true;
    await one.streams.groups.seek(Paid, GROUP, { to: 'earliest', force: true });
    expect(await settled(one, 2)).toMatchObject({ deadLettered: 1 });
    isIll = false;
    await one.streams.deadLetters.redrive(Paid, GROUP, { all: true, to: 'topic' });
    expect(await settled(one, 3)).toMatchObject({ ran: 2, deduplicated: 0 });
  });
});

describe('a message', () => {
  it.each([
    ['whose key is no text', () => 7, 'a value of type number'],
    ['whose key is empty', () => '', '""'],
    ['whose key is a promise', async () => 'a', 'a value of type object'],
    ['whose key has a NUL', () => '\0', 'NUL'],
    ['whose key cannot be told', () => { throw new Error('no key'); }, 'threw'],
  ])('%s becomes a dead letter at once, and nothing is begun', async (_, keyOf, text) => {
    const seen: string[] = [];
    const one = await subscriber(async ({ order }) => void seen.push(order), { keyOf });
    await publish(['a']);
    expect(await settled(one, 1)).toMatchObject({ deadLettered: 1 });
    const [letter] = await one.streams.deadLetters.list(Paid, GROUP);
    expect(letter).toMatchObject({ reason: 'NO_IDEMPOTENCY_KEY', attempts: 1, error: { code: 'NO_IDEMPOTENCY_KEY' } });
    expect(letter!.error.message).toContain(text);
    expect([seen, one.ledger.counters.begun]).toEqual([[], 0]);
  });

  it('waits, without an attempt, while the ledger is full', async () => {
    const attempts: number[] = [];
    const small = { ledger: { maxEntries: LEDGER_SHARDS } };
    const one = await subscriber(async (_, { attempt }) => void attempts.push(attempt), small);
    const [first, second] = ['id-7', 'id-19'];
    const other = await prepareSubscriber({ ...bed.options, ledger: { maxEntries: 8 * LEDGER_SHARDS } });
    bed.endWith(() => other.stop());
    const ids = Array.from({ length: 64 }, (_, index) => `filler-${index}`);
    const { ledger: fuller, idempotency: { holder } } = other;
    const tokens = await Promise.all(ids.map(async (id) => {
      return fuller.begin(id, holder.member).then((begun) => (begun.kind === 'mine' ? begun.token : ''), () => '');
    }));
    await publish([first, second]);
    await waitFor(async () => one.ledger.counters.full >= 2, { what: 'the ledger to refuse' });
    expect(attempts).toEqual([]);
    await Promise.all(ids.map((id, index) => other.ledger.release(id, tokens[index] || 'none')));
    expect(await settled(one, 2)).toMatchObject({ ran: 2, deduplicated: 0 });
    expect(attempts).toEqual([1, 1]);
  });

  it('is handed over once in a batch for its key, and the others of the batch with it', async () => {
    const one = await prepareSubscriber(bed.options);
    bed.endWith(() => one.stop());
    const seen: string[][] = [];
    const topic = topicOf(Paid);
    const retry = { attempts: 2, backoff: fixed('20ms'), deadLetterOn: [] };
    const handler = batchPipeline({
      topic, group: GROUP, retry, idempotency: one.idempotency,
      handle: async (payloads, context) => {
        const orders = payloads.map((payload) => (payload as Paid).order);
        seen.push(orders);
        const failing = orders.indexOf('c');
        if (failing >= 0 && context.items[failing]!.attempt === 1) context.fail(failing, new Error('as planned'));
      },
    });
    await publish(['a', 'a', 'b', 'c']);
    await one.streams.subscribeBatch({ topic, group: GROUP, concurrency: 1, crashLimit: 10 }, { size: 4, waitMs: 500 }, handler);
    expect(await settled(one, 4)).toMatchObject({ ran: 3, deduplicated: 1 });
    expect(seen.flat().sort()).toEqual(['a', 'b', 'c', 'c']);
    expect(one.ledger.counters).toMatchObject({ completed: 3, released: 1 });
  });
});
