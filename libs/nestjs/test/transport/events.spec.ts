import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Catch, Controller, type ExceptionFilter, UseFilters, UsePipes, ValidationPipe } from '@nestjs/common';
import { Ctx, Payload, RpcException } from '@nestjs/microservices';
import { DeadLetter, defineTopic, Discard, fixed, MessageType, type MillraceContext, Topic } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { IsInt, IsString } from 'class-validator';
import { concat, EMPTY, finalize, firstValueFrom, NEVER, of, tap, throwError } from 'rxjs';
import { Journal } from '../fixture.js';
import { EventPattern, toolsOf, TransportBench } from './fixture.js';

let bench: TransportBench;
let journal: Journal;
beforeAll(async () => void (bench = await TransportBench.start()));
beforeEach(() => {
  bench.begin();
  journal = new Journal();
});
afterEach(() => bench.closeAll());
afterAll(() => bench.stop());

const PLACED = defineTopic<{ id: string }>('order.placed');
const SHIPPED = defineTopic<{ id: string }>('order.shipped');

describe('an event handler', () => {
  it('gets the payload and a context with subject, pattern, headers and place', async () => {
    const contexts: MillraceContext[] = [];
    @Controller()
    class Orders {
      @EventPattern('order.placed')
      placed(@Payload('id') id: string, @Ctx() context: MillraceContext) {
        contexts.push(context);
        journal.add(id);
      }
    }
    const app = await bench.listening([Orders]);
    const stored = await toolsOf(app).publisher.publish(PLACED, { id: 'o-1' }, { headers: { tenant: 'acme' }, key: 'k' });
    expect(await journal.has(1)).toEqual(['o-1']);
    const [context] = contexts;
    expect([context!.getSubject(), context!.getPattern(), context!.getHeaders()]).toEqual(['order.placed', 'order.placed', { tenant: 'acme' }]);
    const { messageId, attempt, key, partition, offset } = context!;
    expect({ messageId, attempt, key, partition, offset }).toEqual({ messageId: stored.id, attempt: 1, key: 'k', partition: 0, offset: 0 });
    expect(context!.getMetadata()).toBeUndefined();
  });

  it('gets what was published while its service was down', async () => {
    @Controller()
    class Orders {
      @EventPattern('order.placed')
      placed(@Payload('id') id: string) {
        journal.add(id);
      }
    }
    const first = await bench.listening([Orders]);
    await first.close();
    const other = await bench.listening([], { service: 'other' });
    await toolsOf(other).publisher.publish(PLACED, { id: 'missed' });
    await bench.listening([Orders]);
    expect(await journal.has(1)).toEqual(['missed']);
  });

  it('is tried again when it throws, and gives the message up as a dead letter with its own error', async () => {
    @Controller()
    class Orders {
      @EventPattern('order.placed')
      placed(@Payload('id') id: string, @Ctx() context: MillraceContext) {
        journal.add(`${id} ${context.attempt}`);
        throw new TypeError('no stock');
      }
    }
    const app = await bench.listening([Orders]);
    const { publisher, deadLetters } = toolsOf(app);
    await publisher.publish(PLACED, { id: 'o-1' });
    expect(await journal.has(3)).toEqual(['o-1 1', 'o-1 2', 'o-1 3']);
    await waitFor(async () => (await deadLetters.list(PLACED, 'shop')).length === 1, { what: 'the dead letter' });
    const [letter] = await deadLetters.list(PLACED, 'shop');
    expect(letter).toMatchObject({ reason: 'ATTEMPTS_EXHAUSTED', error: { name: 'TypeError', message: 'no stock' } });
  });

  it('decides by what it throws: DeadLetter gives up at once, Discard drops', async () => {
    @Controller()
    class Orders {
      @EventPattern('order.placed')
      placed(@Payload('id') id: string) {
        journal.add(id);
        throw id === 'bad' ? new DeadLetter('never') : new Discard();
      }
    }
    const app = await bench.listening([Orders]);
    const { publisher, deadLetters, inspector } = toolsOf(app);
    await publisher.publish(PLACED, { id: 'bad' });
    await publisher.publish(PLACED, { id: 'old' });
    await waitFor(async () => (await inspector.group(PLACED, 'shop')).lag === 0, { what: 'both to be settled' });
    expect(await deadLetters.list(PLACED, 'shop')).toMatchObject([{ reason: 'DEAD_LETTERED_BY_HANDLER', payload: { id: 'bad' } }]);
    expect([...journal.entries].sort()).toEqual(['bad', 'old']);
  });

  it('that returns an Observable is done when that completes, and has failed when that fails', async () => {
    @Controller()
    class Orders {
      @EventPattern('order.placed')
      placed(@Payload('id') id: string, @Ctx() { attempt }: MillraceContext) {
        const failing = throwError(() => new Error('late')) as never;
        return concat(of(1), attempt === 1 ? failing : EMPTY).pipe(tap({ complete: () => journal.add(`${id} ${attempt}`) }));
      }
    }
    const app = await bench.listening([Orders]);
    await toolsOf(app).publisher.publish(PLACED, { id: 'o-1' });
    expect(await journal.has(1)).toEqual(['o-1 2']);
  });

  it.each<[string, object, string, string[]]>([
    ['the time of the attempt is over', { timeout: '20ms', retry: { attempts: 2, backoff: fixed('1ms') } }, '5s', ['left 1', 'left 2']],
    ['its server has waited as long as it may when it is closed', {}, '20ms', ['left 1']],
  ])('that returns an Observable without an end has it left when %s', async (_, extras, shutdownTimeout, left) => {
    @Controller()
    class Orders {
      @EventPattern('order.placed', extras)
      placed(@Ctx() { attempt }: MillraceContext) {
        return NEVER.pipe(finalize(() => journal.add(`left ${attempt}`)));
      }
    }
    const app = await bench.listening([Orders], { shutdownTimeout } as object);
    const { publisher, inspector } = toolsOf(app);
    await publisher.publish(PLACED, { id: 'o-1' });
    await waitFor(async () => (await inspector.group(PLACED, 'shop')).pending === 1, { what: 'the event to be at work' });
    if (left.length === 1) await app.close();
    expect(await journal.has(left.length)).toEqual(left);
  });

  it('has its filters, pipes and guards: a filter that gives no error ends the event well', async () => {
    @Catch(RpcException)
    class Swallow implements ExceptionFilter {
      catch(exception: RpcException) {
        journal.add(`swallowed ${exception.message}`);
        return EMPTY;
      }
    }
    class OrderDto {
      @IsString() id!: string;
    }
    @Controller()
    class Orders {
      @UseFilters(new Swallow())
      @UsePipes(new ValidationPipe({ exceptionFactory: () => new RpcException('invalid') }))
      @EventPattern('order.placed')
      placed(@Payload() order: OrderDto) {
        journal.add(order.id);
      }
    }
    const app = await bench.listening([Orders]);
    const { publisher, inspector, deadLetters } = toolsOf(app);
    await publisher.publish(PLACED, { id: 7 } as never);
    expect(await journal.has(1)).toEqual(['swallowed invalid']);
    await waitFor(async () => (await inspector.group(PLACED, 'shop')).lag === 0, { what: 'the event to be settled' });
    expect(await deadLetters.list(PLACED, 'shop')).toEqual([]);
  });
});

describe('several handlers of one pattern', () => {
  it('are all done before the event is: one that fails has it tried again, though another succeeded before', async () => {
    @Controller()
    class First {
      @EventPattern('order.placed')
      placed(@Ctx() { attempt }: MillraceContext) {
        journal.add(`first ${attempt}`);
      }
    }
    @Controller()
    class Second {
      @EventPattern('order.placed')
      placed(@Ctx() { attempt }: MillraceContext) {
        if (attempt === 1) throw new Error('not yet');
        journal.add(`second ${attempt}`);
      }
    }
    const app = await bench.listening([First, Second]);
    const { publisher, inspector } = toolsOf(app);
    await publisher.publish(PLACED, { id: 'o-1' });
    expect((await journal.has(3)).sort()).toEqual(['first 1', 'first 2', 'second 2']);
    await waitFor(async () => (await inspector.group(PLACED, 'shop')).lag === 0, { what: 'the event to be settled' });
  });

  it('go on when one discards: an error of another still has the event tried again', async () => {
    @Controller()
    class Orders {
      @EventPattern('order.placed')
      discards() {
        throw new Discard();
      }

      @EventPattern('order.placed')
      fails(@Ctx() { attempt }: MillraceContext) {
        journal.add(`try ${attempt}`);
        if (attempt === 1) throw new Error('not yet');
      }
    }
    const app = await bench.listening([Orders]);
    await toolsOf(app).publisher.publish(PLACED, { id: 'o-1' });
    expect(await journal.has(2)).toEqual(['try 1', 'try 2']);
  });

  it('have retries of their own with a group of their own', async () => {
    @Controller()
    class Orders {
      @EventPattern('order.placed', { group: 'audit' })
      audit(@Ctx() { attempt }: MillraceContext) {
        journal.add(`audit ${attempt}`);
      }

      @EventPattern('order.placed', { retry: { attempts: 1 } })
      fails(@Ctx() { attempt }: MillraceContext) {
        journal.add(`fails ${attempt}`);
        throw new Error('no');
      }
    }
    const app = await bench.listening([Orders]);
    const { publisher, deadLetters, inspector } = toolsOf(app);
    await publisher.publish(PLACED, { id: 'o-1' });
    await waitFor(async () => (await deadLetters.list(PLACED, 'shop')).length === 1, { what: 'the dead letter' });
    await waitFor(async () => (await inspector.group(PLACED, 'audit')).lag === 0, { what: 'the other group' });
    expect([...journal.entries].sort()).toEqual(['audit 1', 'fails 1']);
  });
});

describe('wildcards', () => {
  it('stand for topics that are there, and for those that are made later', async () => {
    @Controller()
    class Orders {
      @EventPattern('order.*')
      any(@Payload('id') id: string, @Ctx() context: MillraceContext) {
        journal.add(`${context.getPattern()} ${context.getSubject()} ${id}`);
      }

      @EventPattern('order.placed')
      placed(@Payload('id') id: string) {
        journal.add(`placed ${id}`);
      }
    }
    const app = await bench.listening([Orders]);
    const { publisher } = toolsOf(app);
    await publisher.publish(PLACED, { id: '1' });
    await publisher.publish(SHIPPED, { id: '2' });
    expect((await journal.has(3)).sort()).toEqual(['order.* order.placed 1', 'order.* order.shipped 2', 'placed 1']);
  });
});

describe('a wildcard that finds a topic which cannot be served', () => {
  it('tells its listeners and the tools of the server, and serves all other topics', async () => {
    @Controller()
    class Orders {
      @EventPattern('order.*', { concurrency: 1 })
      order(@Ctx() context: MillraceContext) {
        journal.add(`order ${context.getSubject()}`);
      }

      @EventPattern('*.placed', { concurrency: 2 })
      placed(@Ctx() context: MillraceContext) {
        journal.add(`placed ${context.getSubject()}`);
      }

      @EventPattern('*.placed', { group: 'audit' })
      audit(@Ctx() context: MillraceContext) {
        journal.add(`audit ${context.getSubject()}`);
      }
    }
    const app = await bench.listening([Orders]);
    const told: string[] = [];
    app.on('error', (error: Error) => told.push(error.message));
    const { publisher, subscriptions } = toolsOf(app);
    for (const topic of [PLACED, SHIPPED, defineTopic<{ id: string }>('stock.placed')]) await publisher.publish(topic, { id: '1' });
    const served = ['audit order.placed', 'audit stock.placed', 'order order.shipped', 'placed stock.placed'];
    expect((await journal.has(4)).toSorted()).toEqual(served);
    const problem = expect.stringContaining("another handler of the same topic, 'order.placed', and group has another concurrency");
    await waitFor(() => told.length > 0, { what: 'the listener to be told' });
    expect(told).toEqual([problem]);
    const states = subscriptions().map(({ topic, group, problem: found }) => [`${topic}/${group}`, found]);
    expect(Object.fromEntries(states)).toEqual({
      'order.placed/audit': null, 'order.placed/shop': problem, 'order.shipped/shop': null, 'stock.placed/audit': null,
      'stock.placed/shop': null,
    });
  });
});

describe('payload classes', () => {
  @Topic('class.order.placed', { partitions: 2 })
  class OrderPlaced {
    @IsString() orderId!: string;
    @IsInt() amount!: number;
  }

  @Topic('typed.order')
  class OrderEvent {
    @IsString() id!: string;
  }

  @MessageType('accepted')
  class Accepted extends OrderEvent {}

  @MessageType('rejected')
  class Rejected extends OrderEvent {
    @IsString() reason!: string;
  }

  it('name the topic, and handlers get validated instances', async () => {
    const given: unknown[] = [];
    @Controller()
    class Orders {
      @EventPattern(OrderPlaced)
      placed(@Payload() order: OrderPlaced) {
        given.push(order);
        journal.add(order.orderId);
      }
    }
    const app = await bench.listening([Orders]);
    await toolsOf(app).publisher.publish(OrderPlaced, { orderId: 'o-1', amount: 3 });
    await journal.has(1);
    expect(given[0]).toBeInstanceOf(OrderPlaced);
  });

  it('may be the types of one topic: each handler gets its own, that of the class of the topic all of them', async () => {
    const given: unknown[] = [];
    @Controller()
    class Orders {
      @EventPattern(Accepted)
      accepted(@Payload() order: Accepted, @Ctx() context: MillraceContext) {
        given.push(order);
        journal.add(`accepted ${order.id} ${context.getPattern()}`);
      }

      @EventPattern(Rejected)
      rejected(@Payload() order: Rejected) {
        given.push(order);
        journal.add(`rejected ${order.id} ${order.reason}`);
      }

      @EventPattern(OrderEvent, { group: 'audit' })
      audit(@Payload() order: OrderEvent) {
        journal.add(`audit ${order.id}`);
      }

      @EventPattern('typed.*', { group: 'plain' })
      plain(@Payload('id') id: string) {
        journal.add(`plain ${id}`);
      }
    }
    const app = await bench.listening([Orders]);
    const client = bench.client();
    await firstValueFrom(client.emit(Accepted, { id: '1' }));
    await firstValueFrom(client.emit(Rejected, { id: '2', reason: 'no stock' }));
    await firstValueFrom(client.emit(OrderEvent, { id: '3' }));
    expect((await journal.has(8)).toSorted()).toEqual([
      'accepted 1 typed.order', 'audit 1', 'audit 2', 'audit 3', 'plain 1', 'plain 2', 'plain 3', 'rejected 2 no stock',
    ]);
    expect(given.map((order) => (order as object).constructor.name).toSorted()).toEqual(['Accepted', 'Rejected']);
    await waitFor(async () => (await toolsOf(app).inspector.group(OrderEvent, 'shop')).lag === 0, { what: 'all to be settled' });
    expect(await toolsOf(app).inspector.group(OrderEvent, 'shop')).toMatchObject({ handled: 3, filtered: 1 });
    await expect(firstValueFrom(client.emit(Rejected, { id: '4' }))).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
  });

  it('may have been declared elsewhere: a plain pattern takes the partitions that the topic has', async () => {
    @Controller()
    class WithClass {
      @EventPattern(OrderPlaced)
      placed() {
        journal.add('class');
      }
    }
    @Controller()
    class Plain {
      @EventPattern('class.order.placed')
      placed(@Payload('orderId') id: string) {
        journal.add(`plain ${id}`);
      }
    }
    const app = await bench.listening([WithClass]);
    await bench.listening([Plain], { service: 'other' });
    await toolsOf(app).publisher.publish(OrderPlaced, { orderId: 'o-1', amount: 3 });
    expect((await journal.has(2)).sort()).toEqual(['class', 'plain o-1']);
  });
});
