import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable, Module, Scope } from '@nestjs/common';
import { type ContextId, ContextIdFactory, type ContextIdStrategy, type HostComponentInfo, REQUEST } from '@nestjs/core';
import {
  DeadLetterContext, DeliveryContext, MessageType, MillraceModule, OnDeadLetter, Publisher, Subscribe, SubscribeBatch, Topic,
} from '@millrace/nestjs';
import { IsString } from 'class-validator';
import { EMPTY, of } from 'rxjs';
import { atOnce, Bench, Journal, OrderCancelled, OrderPlaced } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

@Topic('parcels')
class ParcelEvent {
  @IsString() id!: string;
}

@MessageType('sent')
class ParcelSent extends ParcelEvent {
  @IsString() by!: string;
}

@MessageType('lost')
class ParcelLost extends ParcelEvent {}

const order = (orderId: string): OrderPlaced => ({ orderId, amount: 1 });

describe('@Subscribe', () => {
  it('hands a provider the validated instance and the context', async () => {
    const journal = new Journal<{ order: OrderPlaced; context: DeliveryContext }>();
    @Injectable()
    class Inventory {
      @Subscribe(OrderPlaced, { group: 'inventory' })
      reserve(placed: OrderPlaced, context: DeliveryContext): void {
        journal.add({ order: placed, context });
      }
    }
    const app = await bench.app({ providers: [Inventory] });
    const { id } = await app.get(Publisher).publish(OrderPlaced, order('a'), { headers: { source: 'test' } });
    const [handled] = await journal.has(1);
    expect(handled!.order).toBeInstanceOf(OrderPlaced);
    expect(handled!.order).toEqual(order('a'));
    expect(handled!.context).toBeInstanceOf(DeliveryContext);
    expect(handled!.context).toMatchObject({ messageId: id, group: 'inventory', attempt: 1, headers: { source: 'test' } });
  });

  it('works on controllers, several times on one method, and for several handlers of one topic', async () => {
    const journal = new Journal();
    @Controller()
    class Audit {
      @Subscribe(OrderPlaced, { group: 'audit' })
      @Subscribe(OrderCancelled, { group: 'audit' })
      note({ orderId }: { orderId: string }, { topic, group }: DeliveryContext): void {
        journal.add(`${group} ${topic} ${orderId}`);
      }

      @Subscribe(OrderPlaced, { group: 'statistics' })
      count({ orderId }: OrderPlaced): void {
        journal.add(`statistics ${orderId}`);
      }
    }
    const app = await bench.app({ controllers: [Audit] });
    await app.get(Publisher).publish(OrderPlaced, order('a'));
    await app.get(Publisher).publish(OrderCancelled, { orderId: 'b' });
    expect((await journal.has(3)).sort()).toEqual(['audit shop.orders.cancelled b', 'audit shop.orders.placed a', 'statistics a']);
  });

  it('makes a request-scoped provider anew for each message and gives it the context as REQUEST', async () => {
    const journal = new Journal<{ instance: object; request: unknown; context: DeliveryContext }>();
    @Injectable({ scope: Scope.REQUEST })
    class Request {
      constructor(@Inject(REQUEST) readonly context: unknown) {}
    }
    @Injectable()
    class Inventory {
      constructor(private readonly request: Request) {}

      @Subscribe(OrderPlaced, { group: 'inventory' })
      reserve(_: OrderPlaced, context: DeliveryContext): void {
        journal.add({ instance: this, request: this.request.context, context });
      }
    }
    const app = await bench.app({ providers: [Request, Inventory] });
    await app.get(Publisher).publish(OrderPlaced, order('a'));
    await app.get(Publisher).publish(OrderPlaced, order('b'));
    const [first, second] = await journal.has(2);
    expect(first!.request).toBe(first!.context);
    expect(second!.request).toBe(second!.context);
    expect(first!.instance).not.toBe(second!.instance);
  });

  it('constructs transient providers, and request-scoped controllers', async () => {
    const journal = new Journal();
    @Injectable()
    class Clock {
      readonly name = 'clock';
    }
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {
      constructor(private readonly clock: Clock) {}

      @Subscribe(OrderPlaced, { group: 'transient' })
      handle(): void {
        journal.add(`transient ${this.clock.name}`);
      }
    }
    @Controller({ scope: Scope.REQUEST })
    class Scoped {
      constructor(private readonly clock: Clock) {}

      @Subscribe(OrderPlaced, { group: 'scoped' })
      handle(): void {
        journal.add(`scoped ${this.clock.name}`);
      }
    }
    const app = await bench.app({ providers: [Clock, Transient], controllers: [Scoped] });
    await app.get(Publisher).publish(OrderPlaced, order('a'));
    expect((await journal.has(2)).sort()).toEqual(['scoped clock', 'transient clock']);
  });

  it('shares durable providers by the strategy of the application', async () => {
    const journal = new Journal<{ instance: object; tenant: unknown }>();
    const tenants = new Map<string, ContextId>();
    const byTenant: ContextIdStrategy = {
      attach(contextId: ContextId, request: DeliveryContext) {
        const tenant = request.headers['tenant'] ?? '';
        const shared = tenants.get(tenant) ?? ContextIdFactory.create();
        tenants.set(tenant, shared);
        return { resolve: (info: HostComponentInfo) => (info.isTreeDurable ? shared : contextId), payload: { tenant } };
      },
    };
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Inventory {
      constructor(@Inject(REQUEST) private readonly request: { tenant: string }) {}

      @Subscribe(OrderPlaced, { group: 'inventory' })
      reserve(): void {
        journal.add({ instance: this, tenant: this.request.tenant });
      }
    }
    ContextIdFactory.apply(byTenant);
    try {
      const app = await bench.app({ providers: [Inventory] });
      for (const [index, tenant] of ['x', 'y', 'x'].entries()) {
        await app.get(Publisher).publish(OrderPlaced, order('a'), { headers: { tenant } });
        await journal.has(index + 1);
      }
    } finally {
      ContextIdFactory.apply(undefined as unknown as ContextIdStrategy);
    }
    const [x, y, again] = journal.entries;
    expect([x!.tenant, y!.tenant, again!.tenant]).toEqual(['x', 'y', 'x']);
    expect(again!.instance).toBe(x!.instance);
    expect(y!.instance).not.toBe(x!.instance);
  });

  it('handles a class once that is provided by two modules, under two tokens, and under an alias', async () => {
    const journal = new Journal();
    @Injectable()
    class Inventory {
      @Subscribe(OrderPlaced, { group: 'inventory' })
      reserve({ orderId }: OrderPlaced): void {
        journal.add(orderId);
      }
    }
    @Module({ providers: [Inventory] })
    class First {}
    @Module({ providers: [{ provide: 'other', useClass: Inventory }, Inventory, { provide: 'alias', useExisting: Inventory }] })
    class Second {}
    const app = await bench.app({ imports: [First, Second, First] });
    await app.get(Publisher).publish(OrderPlaced, order('a'));
    await app.get(Publisher).publish(OrderPlaced, order('b'));
    await journal.has(2);
    expect(journal.entries.sort()).toEqual(['a', 'b']);
  });

  it('finds handlers on what values and factories hold, and on what is inherited', async () => {
    const journal = new Journal();
    abstract class Base {
      abstract readonly name: string;
      @Subscribe(OrderPlaced, { group: 'base' })
      handle({ orderId }: OrderPlaced): void {
        journal.add(`${this.name} ${orderId}`);
      }
    }
    class Derived extends Base {
      readonly name = 'derived';
    }
    class Made {
      @Subscribe(OrderPlaced, { group: 'made' })
      handle({ orderId }: OrderPlaced): void {
        journal.add(`made ${orderId}`);
      }
    }
    const app = await bench.app({ providers: [{ provide: 'value', useValue: new Derived() }, { provide: 'made', useFactory: () => new Made() }] });
    await app.get(Publisher).publish(OrderPlaced, order('a'));
    expect((await journal.has(2)).sort()).toEqual(['derived a', 'made a']);
  });

  it('awaits promises and Observables, empty ones too, and retries what throws', async () => {
    const journal = new Journal();
    @Injectable()
    class Handlers {
      @Subscribe(OrderPlaced, { group: 'observable' })
      observable(): unknown {
        journal.add('observable');
        return of(1, 2);
      }

      @Subscribe(OrderPlaced, { group: 'empty', retry: atOnce })
      empty(): unknown {
        journal.add('empty');
        return EMPTY;
      }

      @Subscribe(OrderPlaced, { group: 'fails', retry: atOnce })
      async fails(_: OrderPlaced, { attempt }: DeliveryContext): Promise<void> {
        journal.add(`fails ${attempt}`);
        if (attempt < 3) await Promise.reject(new Error('not yet'));
      }
    }
    const app = await bench.app({ providers: [Handlers] });
    await app.get(Publisher).publish(OrderPlaced, order('a'));
    const handled = await journal.has(5);
    expect(handled.sort()).toEqual(['empty', 'fails 1', 'fails 2', 'fails 3', 'observable']);
  });

  it('handles what its filter lets through, and no more', async () => {
    const journal = new Journal();
    @Injectable()
    class Europe {
      @Subscribe(OrderPlaced, { group: 'europe', filter: { headers: { region: 'eu' } } })
      handle({ orderId }: OrderPlaced): void {
        journal.add(`one ${orderId}`);
      }

      @SubscribeBatch(OrderPlaced, { group: 'batches', filter: { headers: { region: 'eu' } }, batch: { size: 1 } })
      handleMany(orders: OrderPlaced[]): void {
        journal.add(`many ${orders.map(({ orderId }) => orderId).join()}`);
      }
    }
    const app = await bench.app({ providers: [Europe] });
    await app.get(Publisher).publish(OrderPlaced, order('a'), { headers: { region: 'us' } });
    await app.get(Publisher).publish(OrderPlaced, order('b'), { headers: { region: 'eu' } });
    expect((await journal.has(2)).sort()).toEqual(['many b', 'one b']);
  });

  it('handles one type of message, or all of a topic as instances of their own classes', async () => {
    const journal = new Journal();
    @Injectable()
    class Shipping {
      @Subscribe(ParcelSent, { group: 'sent' })
      one(parcel: ParcelSent): void {
        journal.add(`one ${parcel.constructor.name} ${parcel.id}`);
      }

      @Subscribe(ParcelEvent, { group: 'all' })
      all(parcel: ParcelEvent): void {
        journal.add(`all ${parcel.constructor.name} ${parcel.id}`);
      }
    }
    const app = await bench.app({ providers: [Shipping] });
    await app.get(Publisher).publish(ParcelLost, { id: 'a' });
    await app.get(Publisher).publish(ParcelSent, { id: 'b', by: 'air' });
    expect((await journal.has(3)).sort()).toEqual(['all ParcelLost a', 'all ParcelSent b', 'one ParcelSent b']);
  });

  it('tells of dead letters where their group is selected', async () => {
    const journal = new Journal();
    @Injectable()
    class Inventory {
      @Subscribe(OrderPlaced, { group: 'inventory', retry: { attempts: 1 } })
      reserve(): void {
        throw new Error('no stock');
      }

      @OnDeadLetter(OrderPlaced, { group: 'inventory' })
      tell(lost: OrderPlaced, { reason, error, payloadIsValid }: DeadLetterContext): void {
        journal.add(`${lost.constructor.name} ${lost.orderId} ${reason} ${error.message} ${payloadIsValid}`);
      }

      @Subscribe(OrderPlaced, { group: 'other', retry: { attempts: 1 } })
      other(): void {
        throw new Error('not selected');
      }

      @OnDeadLetter(OrderPlaced, { group: 'other' })
      tellOther(): void {
        journal.add('not selected');
      }
    }
    const app = await bench.app({ providers: [Inventory] }, { handlers: { groups: ['inventory'] } });
    await app.get(Publisher).publish(OrderPlaced, order('a'));
    expect(await journal.has(1)).toEqual(['OrderPlaced a ATTEMPTS_EXHAUSTED no stock true']);
  });

  it('runs the handlers of the selected groups only', async () => {
    const journal = new Journal();
    @Injectable()
    class Handlers {
      @Subscribe(OrderPlaced, { group: 'one' })
      one(): void {
        journal.add('one');
      }

      @Subscribe(OrderPlaced, { group: 'two' })
      two({ orderId }: OrderPlaced): void {
        journal.add(`two ${orderId}`);
      }
    }
    const prefix = bench.prefix();
    const app = await bench.app({ providers: [Handlers] }, { prefix, handlers: { groups: ['two'] } });
    const silent = await bench.app({ providers: [Handlers], imports: [MillraceModule.forFeature([OrderPlaced])] }, { prefix, handlers: 'none' });
    await silent.get(Publisher).publish(OrderPlaced, order('a'));
    await app.get(Publisher).publish(OrderPlaced, order('b'));
    expect(await journal.has(2)).toEqual(['two a', 'two b']);
  });
});
