import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { IsInt, IsOptional, IsString } from 'class-validator';
import { Job, JobHandler, JobQueue, MillraceModule, Publisher, Subscribe, SubscribeBatch, SubscribeBroadcast, Topic } from '@millrace/nestjs';
import { Bench, failureOf, Journal } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

@Topic('unknown.orders')
class Order {
  @IsString() id!: string;
}

@Job('unknown-mail', { queue: 'unknown' })
class Mail {
  @IsString() to!: string;
}

/** The same contracts, a release later. */
@Topic('unknown.orders')
class NewerOrder extends Order {
  @IsOptional() @IsInt() weight?: number;
}

@Job('unknown-mail', { queue: 'unknown' })
class NewerMail extends Mail {
  @IsOptional() @IsString() subject?: string;
}

@Injectable()
class Handlers {
  readonly journal = new Journal<object>();

  @Subscribe(Order, { group: 'one' })
  one(order: Order): void {
    this.journal.add({ one: { ...order } });
  }

  @SubscribeBatch(Order, { group: 'many' })
  many(orders: Order[]): void {
    for (const order of orders) this.journal.add({ many: { ...order } });
  }

  @SubscribeBroadcast(Order)
  all(order: Order): void {
    this.journal.add({ all: { ...order } });
  }

  @JobHandler(Mail)
  mail(job: Mail): void {
    this.journal.add({ mail: { ...job } });
  }
}

const older = { imports: [MillraceModule.forFeature([Order, Mail])], providers: [Handlers] };
const newer = { imports: [MillraceModule.forFeature([NewerOrder, NewerMail])] };

/** Properties that an older application is given of what a newer one sends, by handler. */
async function arrivesOf(unknownProperties?: 'keep'): Promise<object> {
  const prefix = bench.prefix();
  const app = await bench.app(older, { prefix, unknownProperties });
  const sender = await bench.app(newer, { prefix });
  await sender.get(Publisher).publish(NewerOrder, { id: 'o1', weight: 5 });
  await sender.get(JobQueue).enqueue(NewerMail, { to: 'a', subject: 's' });
  return Object.assign({}, ...(await app.get(Handlers).journal.has(4))) as object;
}

describe('properties that a class does not declare', () => {
  it('are refused where they are published or enqueued, unless the module says otherwise', async () => {
    const app = await bench.app({ imports: older.imports });
    const order = { id: 'o1', weight: 5 };
    const refused = await failureOf(app.get(Publisher).publish(Order, order));
    expect(refused).toMatchObject({ code: 'INVALID_PAYLOAD', problems: ['weight is not declared by Order'] });
    const refusedJob = await failureOf(app.get(JobQueue).enqueue(Mail, { to: 'a', subject: 's' } as Mail));
    expect(refusedJob).toMatchObject({ code: 'INVALID_PAYLOAD', problems: ['subject is not declared by Mail'] });
    const many = await failureOf(app.get(JobQueue).enqueueMany(Mail, [{ payload: { to: 'a' } }, { payload: { to: 'b', cc: 'c' } as Mail }]));
    expect(many).toMatchObject({ message: expect.stringContaining('item 1'), problems: ['cc is not declared by Mail'] });
    expect(await app.get(JobQueue).counts('unknown')).toMatchObject({ waiting: 0 });
  });

  it('are left out of what is stored, where the module says strip', async () => {
    const app = await bench.app(older, { unknownProperties: 'strip' });
    await app.get(Publisher).publish(Order, { id: 'o1', weight: 5 } as Order);
    await app.get(JobQueue).enqueue(Mail, { to: 'a', subject: 's' } as Mail);
    const arrived = Object.assign({}, ...(await app.get(Handlers).journal.has(4))) as object;
    expect(arrived).toEqual({ one: { id: 'o1' }, many: { id: 'o1' }, all: { id: 'o1' }, mail: { to: 'a' } });
  });

  it('reach no handler of an older process, which handles what a newer one sends as far as its class goes', async () => {
    expect(await arrivesOf()).toEqual({ one: { id: 'o1' }, many: { id: 'o1' }, all: { id: 'o1' }, mail: { to: 'a' } });
  });

  it('reach the handlers of an older process that keeps them', async () => {
    const order = { id: 'o1', weight: 5 };
    expect(await arrivesOf('keep')).toEqual({ one: order, many: order, all: order, mail: { to: 'a', subject: 's' } });
  });
});
