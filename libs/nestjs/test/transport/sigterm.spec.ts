import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { defineTopic, type MillraceContext } from '@millrace/nestjs';
import { TypeScriptChild, waitFor } from '@millrace/testing';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { Journal } from '../fixture.js';
import { EventPattern, toolsOf, TransportBench } from './fixture.js';
import type { StopPlan } from './fixtures/asked-to-stop.js';

const PLACED = defineTopic<{ id: string }>('order.placed');

let bench: TransportBench;
let journal: Journal;
const children: TypeScriptChild[] = [];
beforeAll(async () => void (bench = await TransportBench.start()));
beforeEach(() => {
  bench.begin();
  journal = new Journal();
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
  await bench.closeAll();
});
afterAll(() => bench.stop());

/** An application that handles one event and one request at a time, and runs. */
async function started(how: Omit<StopPlan, 'options'>): Promise<TypeScriptChild> {
  const plan: StopPlan = { ...how, options: { service: 'shop', concurrency: 1, ...bench.place } };
  const child = new TypeScriptChild(new URL('./fixtures/asked-to-stop.ts', import.meta.url), { args: [JSON.stringify(plan)] });
  children.push(child);
  expect(await child.line()).toBe('running');
  return child;
}

async function lines(child: TypeScriptChild, count: number): Promise<string[]> {
  const read: string[] = [];
  while (read.length < count) read.push(await child.line());
  return read.sort();
}

@Controller()
class Others {
  @EventPattern('order.placed')
  placed(@Payload('id') id: string, @Ctx() { attempt }: MillraceContext) {
    journal.add(`${id} ${attempt}`);
  }
}

describe('a process that is asked to stop', () => {
  it.each<[StopPlan['kind'], StopPlan['by']]>([
    ['hybrid application', 'hooks'],
    ['hybrid application', 'close'],
    ['microservice', 'hooks'],
    ['microservice', 'close'],
  ])('as a %s, by %s, finishes the event and the request at work, leaves other events to others, and ends with code 0', async (kind, by) => {
    const child = await started({ kind, by });
    const client = bench.client();
    const emit = (id: string): Promise<unknown> => lastValueFrom(client.emit('order.placed', { id }));
    await emit('at work');
    await emit('behind it');
    const price = firstValueFrom(client.send<string>('order.price', { id: 'o-1' }));
    expect(await lines(child, 2)).toEqual(['event at work begun', 'request o-1 begun']);
    child.process.kill('SIGTERM');
    expect(await child.line()).toBe('stopping');
    await emit('after it');
    child.tell('finish');
    expect(await lines(child, 2)).toEqual(['event at work done', 'request o-1 done']);
    expect(await price).toBe('price of o-1');
    expect(await child.ended).toEqual({ code: 0, signal: null });
    await expect(child.line()).rejects.toThrow('ended');
    const app = await bench.listening([Others]);
    expect((await journal.has(2)).sort()).toEqual(['after it 1', 'behind it 1']);
    const { inspector } = toolsOf(app);
    await waitFor(async () => (await inspector.group(PLACED, 'shop')).lag === 0, { what: 'all events to be settled' });
    expect(await inspector.group(PLACED, 'shop')).toMatchObject({ handled: 3, redelivered: 0, retried: 0, deadLettered: 0 });
  });

  it.each<[StopPlan['kind']]>([
    ['hybrid application'],
    ['microservice'],
  ])('as a %s, begins no event that comes while hooks of the application still run, though nothing is at work', async (kind) => {
    const child = await started({ kind, by: 'hooks', isSlow: true });
    child.process.kill('SIGTERM');
    expect(await lines(child, 2)).toEqual(['hook begun', 'stopping']);
    await bench.listening([Others]);
    const client = bench.client();
    const ids = Array.from({ length: 20 }, (_, index) => `o-${index}`);
    for (const id of ids) await lastValueFrom(client.emit('order.placed', { id }));
    expect((await journal.has(ids.length)).sort()).toEqual(ids.map((id) => `${id} 1`).sort());
    child.tell('finish');
    expect(await child.ended).toEqual({ code: 0, signal: null });
    await expect(child.line()).rejects.toThrow('ended');
  });
});
