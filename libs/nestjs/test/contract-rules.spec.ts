import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { BullModule, Processor, WorkerHost } from '@nestjs/bullmq';
import { Injectable, type ModuleMetadata, type Type } from '@nestjs/common';
import { IsString } from 'class-validator';
import {
  Job,
  JobHandler,
  MessageType,
  MillraceError,
  MillraceModule,
  OnDeadLetter,
  type PayloadClass,
  Subscribe,
  SubscribeBatch,
  type SubscribeOptions,
  Topic,
} from '@millrace/nestjs';
import { Bench, failureOf, OrderCancelled, OrderPlaced, SendConfirmation } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

function refusal(metadata: ModuleMetadata, options?: Parameters<Bench['app']>[1]): Promise<MillraceError> {
  return failureOf(bench.app(metadata, options));
}

/** A provider with one subscription. */
function subscriber(name: string, topic: unknown, options: SubscribeOptions): Type {
  class Handler {
    @Subscribe(topic as PayloadClass, options)
    handle(): void {
      throw new Error('not to be called');
    }
  }
  Object.defineProperty(Handler, 'name', { value: name });
  return Handler;
}

class NotAContract {
  readonly orderId = 'a';
}

describe('starting an application', () => {
  it('refuses a handler of something that is no topic or no job, naming the method', async () => {
    const topic = await refusal({ providers: [subscriber('Inventory', NotAContract, { group: 'inventory' })] });
    expect(topic.code).toBe('NOT_A_TOPIC');
    expect(topic.message).toContain('@Subscribe on Inventory.handle(): NotAContract is not a topic');
    @Injectable()
    class Mailer {
      @JobHandler(OrderPlaced)
      send(): void {
        throw new Error('not to be called');
      }
    }
    const job = await refusal({ providers: [Mailer] });
    expect(job.code).toBe('NOT_A_JOB');
    expect(job.message).toContain('@JobHandler on Mailer.send(): OrderPlaced is not a job');
  });

  it('refuses options that are not allowed, with all problems of all handlers and the nearest names', async () => {
    const options = { groups: 'x', concurrency: 0, timeout: '5', retry: { attempts: 0, backof: 1, deadLetterOn: ['no'], discardOn: 'no' } } as unknown as SubscribeOptions;
    const error = await refusal({ providers: [subscriber('One', OrderPlaced, options), subscriber('Two', OrderPlaced, { group: 'a b' })] });
    expect(error.code).toBe('INVALID_OPTIONS');
    expect(error.problems).toEqual(
      expect.arrayContaining([
        "@Subscribe on One.handle(): option 'groups' is not known: did you mean 'group'?",
        expect.stringContaining('@Subscribe on One.handle(): group must be the name of a group'),
        '@Subscribe on One.handle(): concurrency must not be less than 1',
        "@Subscribe on One.handle(): timeout must be a duration from '1ms' to '1d', such as '30s'",
        "@Subscribe on One.handle(), retry: option 'backof' is not known: did you mean 'backoff'?",
        '@Subscribe on One.handle(), retry: attempts must not be less than 1',
        '@Subscribe on One.handle(), retry: deadLetterOn must be a list of error classes',
        '@Subscribe on One.handle(), retry: discardOn must be a list of error classes',
        expect.stringContaining('@Subscribe on Two.handle(): group must be the name of a group'),
      ]),
    );
  });

  it('refuses rules for errors that are none', async () => {
    const on = [{ error: Error }, { attempts: 0, backoff: '5s', error: 'no' }, 7] as never;
    const error = await refusal({ providers: [subscriber('One', OrderPlaced, { group: 'g', retry: { on } })] });
    expect(error.code).toBe('INVALID_OPTIONS');
    expect(error.problems).toEqual(
      expect.arrayContaining([
        '@Subscribe on One.handle(), retry.on[1]: error must be a function',
        '@Subscribe on One.handle(), retry.on[1]: attempts must not be less than 1',
        expect.stringContaining('@Subscribe on One.handle(), retry.on[1]: backoff must come from'),
        '@Subscribe on One.handle(), retry.on[2]: the options must be an object.',
      ]),
    );
  });

  it('refuses filters that are none, naming the method', async () => {
    const filter = { headers: { region: [] }, key: 5, type: [], topic: 'x' } as never;
    const error = await refusal({ providers: [subscriber('One', OrderPlaced, { group: 'g', filter })] });
    expect(error.message).toContain('@Subscribe on One.handle(), filter is not configured well');
    expect(error.problems).toEqual(
      expect.arrayContaining([
        expect.stringContaining('headers must be an object with a string'),
        'key must be a string, or a list of one or more strings',
        'type must be a string, or a list of one or more strings',
        expect.stringContaining("option 'topic' is not known"),
      ]),
    );
  });

  it('refuses filters with half a character, which no message can have', async () => {
    const filter = { headers: { region: '\ud800' }, key: ['a', 'b\udc00'] };
    const error = await refusal({ providers: [subscriber('One', OrderPlaced, { group: 'g', filter })] });
    expect(error.problems).toHaveLength(2);
  });

  it('refuses a rate limit that is none', async () => {
    const error = await refusal({ providers: [subscriber('One', OrderPlaced, { group: 'g', rateLimit: { messages: 0 } as never })] });
    expect(error.message).toContain('@Subscribe on One.handle(), rateLimit is not configured well');
    expect(error.problems).toEqual([
      'messages must not be less than 1', "per must be a duration from '10ms' to '1d', such as '30s'",
    ]);
  });

  it('refuses to tell of dead letters of a group that does not subscribe here, or to tell two methods', async () => {
    class Alarm {
      @OnDeadLetter(OrderPlaced, { group: 'inventory' })
      one(): void {
        throw new Error('not to be called');
      }
    }
    class Other extends Alarm {}
    const alone = await refusal({ providers: [Alarm, subscriber('One', OrderPlaced, { group: 'inventroy' })] });
    expect(alone.code).toBe('UNKNOWN_GROUP');
    expect(alone.message).toContain("@OnDeadLetter on Alarm.one(): group 'inventory' does not subscribe to topic 'shop.orders.placed'");
    const twice = await refusal({ providers: [Alarm, Other, subscriber('One', OrderPlaced, { group: 'inventory' })] });
    expect(twice.code).toBe('DUPLICATE_SUBSCRIPTION');
    expect(twice.message).toContain('@OnDeadLetter on Alarm.one() and Other.one()');
  });

  it('refuses to tell a method for one type of message of the dead letters of others', async () => {
    @Topic('shop.parcels')
    class ParcelEvent {}
    @MessageType('sent')
    class ParcelSent extends ParcelEvent {}
    @MessageType('lost')
    class ParcelLost extends ParcelEvent {}
    const alarm = (contract: PayloadClass): Type => {
      class Alarm {
        @OnDeadLetter(contract, { group: 'shipping' })
        tell(): void {
          throw new Error('not to be called');
        }
      }
      return Alarm;
    };
    const all = subscriber('Shipping', ParcelEvent, { group: 'shipping' });
    const sent = subscriber('Shipping', ParcelSent, { group: 'shipping' });
    const some = await refusal({ providers: [all, alarm(ParcelSent)] });
    expect(some.code).toBe('CONTRACT_CONFLICT');
    expect(some.message).toContain("for messages of type 'sent', but group 'shipping' of topic 'shop.parcels' handles all of the topic");
    expect((await refusal({ providers: [sent, alarm(ParcelLost)] })).message).toContain("handles those of type 'sent'");
    for (const told of [ParcelSent, ParcelEvent]) await bench.app({ providers: [sent, alarm(told)] });
  });

  it('refuses batches that cannot be, and says why they have no inbox', async () => {
    const options = { group: 'g', inbox: true, concurrency: 101, batch: { size: 0, wait: '2m', waits: 1 } } as unknown as { group: string };
    class Bulk {
      @SubscribeBatch(OrderPlaced, options)
      handle(): void {
        throw new Error('not to be called');
      }
    }
    const error = await refusal({ providers: [Bulk] });
    expect(error.code).toBe('INVALID_OPTIONS');
    expect(error.problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^@SubscribeBatch on Bulk\.handle\(\): inbox is not for batches: it makes a message and its effects one transaction/),
        '@SubscribeBatch on Bulk.handle(): concurrency must not be greater than 100',
        '@SubscribeBatch on Bulk.handle(), batch: size must not be less than 1',
        "@SubscribeBatch on Bulk.handle(), batch: wait must be a duration from '0ms' to '1m', such as '30s'",
        "@SubscribeBatch on Bulk.handle(), batch: option 'waits' is not known: did you mean 'wait'?",
      ]),
    );
  });

  it('refuses two subscriptions of one topic and group, naming both methods', async () => {
    const same = { group: 'inventory' };
    const error = await refusal({ providers: [subscriber('One', OrderPlaced, same), subscriber('Two', OrderPlaced, same)] });
    expect(error.code).toBe('DUPLICATE_SUBSCRIPTION');
    expect(error.message).toContain("One.handle() and Two.handle() subscribe to topic 'shop.orders.placed' for the same group 'inventory'");
  });

  it('refuses two handlers of one job', async () => {
    @Injectable()
    class Mailer {
      @JobHandler(SendConfirmation)
      send(): void {
        throw new Error('not to be called');
      }

      @JobHandler(SendConfirmation)
      sendAgain(): void {
        throw new Error('not to be called');
      }
    }
    const error = await refusal({ providers: [Mailer] });
    expect(error.code).toBe('DUPLICATE_JOB_HANDLER');
    expect(error.message).toContain('Mailer.send() and Mailer.sendAgain()');
  });

  it('refuses two classes with one topic name or one job name, published or handled', async () => {
    @Topic('shop.orders.placed')
    class OtherOrderPlaced {}
    @Job('send-confirmation', { queue: 'letters' })
    class OtherConfirmation {
      @IsString() orderId!: string;
    }
    const topic = await refusal({
      imports: [MillraceModule.forFeature([OtherOrderPlaced])],
      providers: [subscriber('One', OrderPlaced, { group: 'inventory' })],
    });
    expect(topic.code).toBe('CONTRACT_CONFLICT');
    expect(topic.message).toContain("OrderPlaced and OtherOrderPlaced are different classes with the same @Topic name 'shop.orders.placed'");
    const job = await refusal({ imports: [MillraceModule.forFeature([SendConfirmation, OtherConfirmation])] });
    expect(job.code).toBe('CONTRACT_CONFLICT');
    expect(job.message).toContain("same @Job name 'send-confirmation'");
  });

  it('refuses a @Processor and a @JobHandler on one queue', async () => {
    @Processor('emails')
    class Plain extends WorkerHost {
      process(): Promise<void> {
        return Promise.resolve();
      }
    }
    @Injectable()
    class Mailer {
      @JobHandler(SendConfirmation)
      send(): void {
        throw new Error('not to be called');
      }
    }
    const connection = { host: '127.0.0.1', port: bench.redis.port };
    const error = await refusal({ imports: [BullModule.forRoot({ connection }), BullModule.registerQueue({ name: 'emails' })], providers: [Plain, Mailer] });
    expect(error.code).toBe('CONTRACT_CONFLICT');
    expect(error.message).toContain("Queue 'emails' has both a @Processor (Plain) and @JobHandler (Mailer.send())");
  });

  it('says what to do about a class that is not there, because files import each other in a circle', async () => {
    const circle = 'files import each other in a circle and it is not there yet: move what both of them need into a file of its own.';
    const missing = undefined as unknown as PayloadClass;
    expect((await refusal({ imports: [MillraceModule.forFeature([missing])] })).message).toContain(circle);
    const error = await refusal({ providers: [subscriber('Early', missing, { group: 'early' })] });
    expect(error.code).toBe('NOT_A_TOPIC');
    expect(error.message).toContain('Early.handle');
    expect(error.message).toContain(circle);
    class Worker {
      @JobHandler(missing)
      work(): void {
        throw new Error('not to be called');
      }
    }
    expect((await refusal({ providers: [Worker] })).message).toContain(circle);
  });

  it('refuses what forFeature cannot use', async () => {
    const error = await refusal({ imports: [MillraceModule.forFeature([NotAContract])] });
    expect(error.code).toBe('NOT_A_TOPIC');
    expect(error.message).toContain('NotAContract is neither a topic nor a job');
  });

  it('refuses selected groups and queues that no handler has, with the nearest name', async () => {
    const providers = [subscriber('One', OrderPlaced, { group: 'inventory' })];
    const group = await refusal({ providers }, { handlers: { groups: ['inventroy'] } });
    expect(group.code).toBe('UNKNOWN_GROUP');
    expect(group.message).toContain("group 'inventroy' is not known: did you mean 'inventory'?");
    const queue = await refusal({ providers }, { handlers: { groups: ['inventory'], queues: ['emails'] } });
    expect(queue.code).toBe('UNKNOWN_QUEUE');
    expect(queue.message).toContain("queue 'emails', but the application has no @JobHandler at all");
  });

  it('refuses inbox: true where no database is named, unless this process does not run the handler', async () => {
    const providers = [subscriber('One', OrderPlaced, { group: 'inventory', inbox: true }), subscriber('Two', OrderCancelled, { group: 'audit' })];
    const error = await refusal({ providers });
    expect(error.code).toBe('INBOX_NOT_CONFIGURED');
    expect(error.message).toContain('One.handle() has inbox: true');
    await bench.app({ providers }, { handlers: { groups: ['audit'] } });
  });

  it('refuses a topic that is stored with other partitions', async () => {
    @Topic('resized', { partitions: 2 })
    class Two {}
    @Topic('resized', { partitions: 3 })
    class Three {}
    const prefix = bench.prefix();
    await bench.app({ imports: [MillraceModule.forFeature([Two])] }, { prefix });
    expect((await refusal({ imports: [MillraceModule.forFeature([Three])] }, { prefix })).code).toBe('TOPIC_MISMATCH');
  });

  it('refuses to be imported twice', async () => {
    expect((await refusal({ imports: [bench.module()] })).message).toContain('MillraceModule.forRoot is imported 2 times');
  });
});

describe('the decorators', () => {
  it('refuse what is no method of an instance', () => {
    const place = (): unknown => {
      class Wrong {
        readonly name = 'wrong';

        @Subscribe(OrderPlaced, { group: 'x' })
        static handle(): void {
          throw new Error('not to be called');
        }
      }
      return Wrong;
    };
    expect(place).toThrow('not a method of instances');
  });
});
