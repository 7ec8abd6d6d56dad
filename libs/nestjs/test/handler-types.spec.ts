import { describe, expect, it } from '@jest/globals';
import { IsString } from 'class-validator';
import {
  BatchContext, DeadLetterContext, defineTopic, DeliveryContext, JobContext, JobHandler, OnDeadLetter, Subscribe, SubscribeBatch,
  SubscribeBroadcast,
} from '@millrace/nestjs';
import { OrderPlaced, SendConfirmation } from './fixture.js';

/** Has more than the topic's payload: a method that needs it cannot be a handler. */
class OrderWithCoupon extends OrderPlaced {
  @IsString() coupon!: string;
}

interface AuditEntry {
  readonly actor: string;
}

const Audit = defineTopic<AuditEntry>('audit.entries');
const Texts = defineTopic<string>('texts');
const Mirror = defineTopic('shop.orders.mirrored', { payload: OrderPlaced });

/**
 * The compiler is the test: `@ts-expect-error` is an error itself where the line below it compiles, so the type check of the
 * test command fails as soon as a decorator takes what it must refuse, or refuses what it must take.
 */
class Handlers {
  readonly calls: string[] = [];

  @Subscribe(OrderPlaced, { group: 'all' })
  @JobHandler(SendConfirmation)
  nothing(): void {
    this.calls.push('nothing');
  }

  @Subscribe(OrderPlaced, { group: 'payload' })
  payload(order: OrderPlaced): string {
    return order.orderId;
  }

  @Subscribe(OrderPlaced, { group: 'both' })
  both(order: OrderPlaced, context: DeliveryContext): Promise<string> {
    return Promise.resolve(`${order.orderId} ${context.attempt}`);
  }

  @Subscribe(OrderPlaced, { group: 'wider' })
  wider(order: { readonly orderId: string }, context: Pick<DeliveryContext, 'messageId'>): string {
    return `${order.orderId} ${context.messageId}`;
  }

  @Subscribe(OrderPlaced, { group: 'unknown' })
  unknown(order: unknown): string {
    return typeof order;
  }

  @Subscribe(OrderPlaced, { group: 'optional' })
  optional(order: OrderPlaced, context?: DeliveryContext, more = 1): string {
    return `${order.orderId} ${context?.attempt ?? 0} ${more}`;
  }

  @JobHandler(SendConfirmation, { concurrency: 2 })
  job(job: SendConfirmation, context: JobContext): string {
    return `${job.orderId} ${context.jobId}`;
  }

  @SubscribeBatch(OrderPlaced, { group: 'batch', batch: { size: 10, wait: '1s' } })
  batch(orders: OrderPlaced[], context: BatchContext): string {
    return `${orders.length} ${context.items.length}`;
  }

  @SubscribeBatch(OrderPlaced, { group: 'readonly-batch' })
  readonlyBatch(orders: readonly { readonly orderId: string }[]): string {
    return orders.map(({ orderId }) => orderId).join();
  }

  @OnDeadLetter(OrderPlaced, { group: 'batch' })
  deadLetter(order: OrderPlaced, context: DeadLetterContext): string {
    return `${order.orderId} ${context.reason}`;
  }

  @Subscribe(Audit, { group: 'entries' })
  @SubscribeBroadcast(Audit)
  @OnDeadLetter(Audit, { group: 'entries' })
  entry({ actor }: AuditEntry): string {
    return actor;
  }

  @SubscribeBatch(Texts, { group: 'texts' })
  texts(texts: string[], { items }: BatchContext): string {
    return `${texts.join()} ${items.length}`;
  }

  @Subscribe(Mirror, { group: 'mirror' })
  mirror(order: OrderPlaced): number {
    return order.amount;
  }

  // @ts-expect-error an entry has no order
  @Subscribe(Audit, { group: 'entry-of-order' })
  entryOfOrder(order: OrderPlaced): string {
    return order.orderId;
  }

  // @ts-expect-error a text is no number
  @SubscribeBroadcast(Texts)
  numbers(number: number): number {
    return number;
  }

  // @ts-expect-error the class has no coupon
  @Subscribe(Mirror, { group: 'mirror-narrower' })
  mirrorNarrower(order: OrderWithCoupon): string {
    return order.coupon;
  }

  // @ts-expect-error another payload
  @OnDeadLetter(OrderPlaced, { group: 'batch' })
  otherDeadLetter(order: SendConfirmation & { readonly x: 1 }): number {
    return order.x;
  }

  // @ts-expect-error one payload where many are given
  @SubscribeBatch(OrderPlaced, { group: 'one-of-many' })
  oneOfMany(order: OrderPlaced): string {
    return order.orderId;
  }

  // @ts-expect-error many payloads where one is given
  @Subscribe(OrderPlaced, { group: 'many-of-one' })
  manyOfOne(orders: OrderPlaced[]): number {
    return orders.length;
  }

  // @ts-expect-error the context of a single delivery
  @SubscribeBatch(OrderPlaced, { group: 'batch-context' })
  batchContext(orders: OrderPlaced[], context: DeliveryContext): string {
    return `${orders.length} ${context.attempt}`;
  }

  // @ts-expect-error no inbox for batches
  @SubscribeBatch(OrderPlaced, { group: 'batch-inbox', inbox: true })
  batchInbox(orders: OrderPlaced[]): number {
    return orders.length;
  }

  // @ts-expect-error another payload
  @Subscribe(OrderPlaced, { group: 'other' })
  other(order: { readonly amount: string }): string {
    return order.amount;
  }

  // @ts-expect-error a narrower payload, which TypeScript lets methods take where it expects a wider one
  @Subscribe(OrderPlaced, { group: 'narrower' })
  narrower(order: OrderWithCoupon): string {
    return order.coupon;
  }

  // @ts-expect-error a text is no payload
  @Subscribe(OrderPlaced, { group: 'text' })
  text(order: string): string {
    return order;
  }

  // @ts-expect-error another context
  @Subscribe(OrderPlaced, { group: 'context' })
  context(order: OrderPlaced, context: JobContext): string {
    return `${order.orderId} ${context.jobId}`;
  }

  // @ts-expect-error one parameter more than there is to give
  @Subscribe(OrderPlaced, { group: 'third' })
  third(order: OrderPlaced, _context: DeliveryContext, more: string): string {
    return order.orderId + more;
  }

  // @ts-expect-error the job's payload has no amount
  @JobHandler(SendConfirmation)
  amount(job: { readonly amount: number }): number {
    return job.amount;
  }

  // @ts-expect-error a group is required
  @Subscribe(OrderPlaced, {})
  groupless(order: OrderPlaced): string {
    return order.orderId;
  }

  // @ts-expect-error an unknown option
  @Subscribe(OrderPlaced, { group: 'options', concurency: 2 })
  options(order: OrderPlaced): string {
    return order.orderId;
  }

  // @ts-expect-error a duration is no backoff
  @Subscribe(OrderPlaced, { group: 'retry', retry: { backoff: '5s' } })
  retry(order: OrderPlaced): string {
    return order.orderId;
  }
}

describe('the types of @Subscribe and @JobHandler', () => {
  it('are checked by the compiler; at run time the decorated methods are what they were', () => {
    expect(new Handlers().payload({ orderId: 'a', amount: 1 })).toBe('a');
  });
});
