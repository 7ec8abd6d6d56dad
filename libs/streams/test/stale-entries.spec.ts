import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { listen, topicOf } from '@millrace/core';
import type { GroupStream } from '../src/consume/group-partition.js';
import { HANDLED, type Settlement } from '../src/consume/settlement.js';
import { Settler } from '../src/consume/settler.js';
import { OutcomeRoutes } from '../src/durable/outcome-routes.js';
import { type PendingDelivery, deliveriesOf } from '../src/consume/pending-delivery.js';
import { Bed } from './bed.js';
import type { Process } from './fixture.js';
import { heldWith } from './held-with.js';
import { storedEntry } from './stored-entry.js';
import { numbers, Single } from './topics.js';

type Row = [id: string, fields: string[]];

const bed = new Bed('stale-entries');
let process: Process;
let fenced: number;
let stopListening: () => void;

beforeEach(async () => {
  process = await bed.start();
  await process.streams.declare(topicOf(Single));
  fenced = 0;
  stopListening = listen('fenced', () => void (fenced += 1));
});
afterEach(() => stopListening());

/** The parts of a member that holds entries, and a loss of the connection that brought them. */
function member(): { hold: (stream: GroupStream, row: Row) => readonly PendingDelivery[]; lose: () => void; settler: Settler } {
  let connectionEpoch = 0;
  const held = heldWith({ way: { epochOf: () => connectionEpoch } });
  const feedback = { givenAgain: () => undefined };
  const outcomes = new OutcomeRoutes(process.redis);
  const settler = new Settler({ redis: process.redis, prefix: bed.prefix, member: 'a', held, outcomes, feedback, onSettled: () => undefined });
  const hold = (stream: GroupStream, [id, fields]: Row): readonly PendingDelivery[] => {
    const { entry, deliveries } = deliveriesOf(stream, { id, fields }, held.moment(stream));
    held.add(entry);
    return deliveries;
  };
  return { hold, lose: () => void (connectionEpoch += 1), settler };
}

/** Reads entries as member a, of the only stream that has any. */
async function read(stream: GroupStream): Promise<Row[]> {
  const [[, rows]] = (await bed.command('XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', stream.key, '>')) as [[string, Row[]]];
  return rows;
}

async function xranges(): Promise<number> {
  return Number(/cmdstat_xrange:calls=(\d+)/.exec(String(await bed.command('INFO', 'commandstats')))?.[1] ?? 0);
}

const DEAD: Settlement = ['dead', 'what could not be read', '{}'];

function settledBy(settler: Settler, work: PendingDelivery, settlement: Settlement): Promise<void> {
  return new Promise((resolve) => settler.settle(work, settlement, { settled: () => resolve() }));
}

describe('messages that came over a connection that was lost since', () => {
  const log = (): GroupStream => bed.place(Single, 'g').streams[0];
  const retry = (): GroupStream => bed.place(Single, 'g').streams[1];

  beforeEach(async () => {
    await bed.command('XGROUP', 'CREATE', log().key, 'g', '0');
    await bed.command('XGROUP', 'CREATE', retry().key, 'g', '0', 'MKSTREAM');
  });

  it.each([
    ['an entry of ours with another content', ['m', '[{}]']],
    ['a foreign entry', ['some', 'thing']],
  ])('and was unreadable as %s settles no message that got its entry id', async (_, fields) => {
    await process.publisher.publish(Single, { value: 1 });
    const [[id]] = await read(log()) as [Row];
    const { hold, lose, settler } = member();
    const [lost] = hold(log(), [id, fields]);
    lose();
    await settledBy(settler, lost!, DEAD);
    expect(fenced).toBe(1);
    expect(await bed.pending(Single, 'g')).toEqual([[id, 'a', expect.any(Number), 1]]);
    expect(await bed.command('XLEN', bed.place(Single, 'g').groupKeys.dead)).toBe(0);
  });

  it('are settled, also when they are unreadable', async () => {
    await bed.command('XADD', log().key, ...storedEntry(0, ['{"not":"ours"}']));
    const [row] = await read(log());
    const { hold, lose, settler } = member();
    const [same] = hold(log(), row!);
    lose();
    await settledBy(settler, same!, DEAD);
    expect([fenced, await bed.pending(Single, 'g')]).toEqual([0, []]);
  });

  it('are checked once an entry, however many of its messages are settled', async () => {
    const texts = numbers(16).map(({ payload }, index) => `[1,"id-${index}",null,null,null,${JSON.stringify(payload)}]`);
    await bed.command('XADD', log().key, ...storedEntry(0, texts));
    const [row] = await read(log());
    const { hold, lose, settler } = member();
    const work = hold(log(), row!);
    lose();
    const before = await xranges();
    await Promise.all(work.map((item) => settledBy(settler, item, HANDLED)));
    expect([await xranges() - before, fenced, await bed.pending(Single, 'g')]).toEqual([1, 0, []]);
  });
});
