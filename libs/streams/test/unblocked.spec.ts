import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { listen } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { type Process, subscribe } from './fixture.js';
import { Single } from './topics.js';

const bed = new Bed('unblocked');
const log = (): string => bed.place(Single, 'g').keys.log;
let process: Process;
let handled: number[];
let failures: string[];
let recreated: number;
let lastRecreated: unknown;
let stops: (() => void)[];

beforeEach(async () => {
  [handled, failures, recreated] = [[], [], 0];
  stops = [
    listen('loop-failed', ({ loop, error }) => {
      if (loop === 'fetch') failures.push(error.message);
    }),
    listen('recreated', (event) => {
      recreated += 1;
      lastRecreated = event;
    }),
  ];
  process = await bed.start();
  await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: { value: number }) => void handled.push(value));
  await busy();
});
afterEach(() => stops.forEach((stop) => stop()));

/** Publishes until the subscription waits for messages inside Redis. */
async function busy(): Promise<void> {
  const isWaiting = async (): Promise<boolean> => {
    if (await waitingClient()) return true;
    await process.publisher.publish(Single, { value: 0 });
    return false;
  };
  await waitFor(isWaiting, { what: 'the subscription to wait inside Redis' });
  await bed.drained(process, Single, 'g');
  await waitFor(waitingClient, { what: 'it to wait again' });
  handled = [];
}

/** The id of the connection that waits in a read. */
async function waitingClient(): Promise<string | null> {
  const lines = String(await bed.command('CLIENT', 'LIST')).split('\n');
  const waiting = lines.find((line) => line.includes('cmd=xreadgroup') && / flags=[a-zA-Z]*b/.test(line));
  return waiting ? /^id=(\d+)/.exec(waiting)![1]! : null;
}

/** How often somebody tried to make a group. */
async function made(): Promise<number> {
  return Number(/cmdstat_xgroup\|create:calls=(\d+)/.exec(String(await bed.command('INFO', 'commandstats')))?.[1] ?? 0);
}

async function goesOn(): Promise<void> {
  await process.publisher.publish(Single, { value: 7 });
  await waitFor(() => handled.length > 0, { what: 'the next message to be handled' });
  expect(handled).toEqual([7]);
}

describe('a read that waits inside Redis and fails', () => {
  it('since its stream was away for a moment: the member reads again, and nothing counts as lost', async () => {
    const before = await made();
    // As a key that moves to another node: it is there again when the member asks.
    await Promise.all([bed.command('RENAME', log(), `${log()}:away`), bed.command('RENAME', `${log()}:away`, log())]);
    await waitFor(() => failures.length > 0, { what: 'the read to fail' });
    expect(failures[0]).toContain('the stream or its group is gone');
    await goesOn();
    expect([recreated, (await made()) - before]).toEqual([0, 0]);
  });

  it('since somebody ended it: the member reads again, and nothing counts as lost', async () => {
    const before = await made();
    await bed.command('CLIENT', 'UNBLOCK', (await waitingClient())!, 'ERROR');
    await waitFor(() => failures.length > 0, { what: 'the read to fail' });
    expect(failures[0]).toContain('UNBLOCKED client unblocked');
    await goesOn();
    expect([recreated, (await made()) - before]).toEqual([0, 0]);
  });

  it('since its group was destroyed: the group is made again', async () => {
    await bed.command('XGROUP', 'DESTROY', log(), 'g');
    await waitFor(() => recreated === 1, { what: 'the group to be made again' });
    await goesOn();
    expect(failures[0]).toContain('the stream or its group is gone');
    // Plain data: whoever listens may write it as JSON.
    expect(lastRecreated).toEqual({ topic: 'test.single', partition: 0, group: 'g', why: expect.any(String) });
  });

  it('since its stream was deleted: the stream and the group are made again', async () => {
    await bed.command('DEL', log());
    await waitFor(() => recreated === 1, { what: 'the stream to be made again' });
    await goesOn();
  });

  it('since its group was destroyed, and others made it again before the member asks: what is settled does not come again', async () => {
    await Promise.all([bed.command('XGROUP', 'DESTROY', log(), 'g'), bed.command('XGROUP', 'CREATE', log(), 'g', '0')]);
    await waitFor(() => failures.length > 0, { what: 'the read to fail' });
    await goesOn();
    expect(recreated).toBe(0);
  });
});
