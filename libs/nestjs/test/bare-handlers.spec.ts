import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CallHandler, type CanActivate, Catch, Controller, createParamDecorator, type ExceptionFilter, type ExecutionContext,
  Injectable, type NestInterceptor, type PipeTransform, Scope, UseFilters, UseGuards, UseInterceptors, UsePipes,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { concat, defer, EMPTY, NEVER, type Observable, of, tap, throwError } from 'rxjs';
import { topicOf } from '@millrace/core';
import { DeliveryContext, Inspector, Publisher, Subscribe } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { atOnce, Bench, Journal, OrderPlaced } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

const order: OrderPlaced = { orderId: 'a', amount: 1 };

@Injectable()
class Notes extends Journal {}

/** Whether Nest's own way to call methods is under way: it is what a bare handler is spared. */
function isThroughNest(): boolean {
  return (new Error('where am I').stack ?? '').includes('external-context-creator');
}

/** Enhancers note each call that they surround. */
@Injectable()
class Guard implements CanActivate {
  constructor(private readonly notes: Notes) {}

  canActivate(): boolean {
    this.notes.add('guard');
    return true;
  }
}

@Injectable()
class Pipe implements PipeTransform {
  constructor(private readonly notes: Notes) {}

  transform(value: unknown): unknown {
    if (value instanceof OrderPlaced) this.notes.add('pipe');
    return value;
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  constructor(private readonly notes: Notes) {}

  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(tap(() => this.notes.add('interceptor')));
  }
}

@Catch()
@Injectable()
class Filter implements ExceptionFilter {
  constructor(private readonly notes: Notes) {}

  catch(): void {
    this.notes.add('filter');
  }
}

/** Publishes one order and resolves when the group has handled it. */
async function handledBy(metadata: Parameters<Bench['app']>[0], options: Parameters<Bench['app']>[1] = {}): Promise<string[]> {
  const app = await bench.app({ ...metadata, providers: [Notes, ...(metadata.providers ?? [])] }, options);
  await app.get(Publisher).publish(OrderPlaced, order);
  const handled = async (): Promise<boolean> => (await app.get(Inspector).group(topicOf(OrderPlaced), 'g')).handled === 1;
  await waitFor(handled, { what: 'the message to be handled' });
  return app.get(Notes).entries;
}

describe('a handler that nothing surrounds', () => {
  class Bare {
    readonly own = 'own';

    constructor(readonly notes: Notes) {}

    @Subscribe(OrderPlaced, { group: 'g' })
    handle(payload: OrderPlaced, context: DeliveryContext, ...more: unknown[]): void {
      const kinds = [payload instanceof OrderPlaced, context instanceof DeliveryContext, this instanceof Bare, isThroughNest()];
      this.notes.add([this.own, payload.orderId, context.attempt, more.length, ...kinds].join());
    }
  }
  Reflect.defineMetadata('design:paramtypes', [Notes], Bare);

  it.each([
    ['a provider', Injectable(), 'providers'],
    ['a controller', Controller(), 'controllers'],
    ['a provider of a request', Injectable({ scope: Scope.REQUEST }), 'providers'],
    ['a transient provider', Injectable({ scope: Scope.TRANSIENT }), 'providers'],
  ])('is called at once, on its instance, with the payload and the context: %s', async (_, decorate, list) => {
    decorate(Bare);
    expect(await handledBy({ [list]: [Bare] })).toEqual(['own,a,1,0,true,true,true,false']);
  });

  it('may be one of a class that extends another, and calls that', async () => {
    class Base {
      handle(payload: OrderPlaced): string {
        return `base ${payload.orderId}`;
      }
    }
    @Injectable()
    class Derived extends Base {
      constructor(readonly notes: Notes) {
        super();
      }

      @Subscribe(OrderPlaced, { group: 'g' })
      override handle(payload: OrderPlaced): string {
        const result = super.handle(payload);
        this.notes.add(result);
        return result;
      }
    }
    expect(await handledBy({ providers: [Derived] })).toEqual(['base a']);
  });

  it.each<[string, () => unknown]>([
    ['throws', () => { throw new Error('no'); }],
    ['rejects', () => Promise.reject(new Error('no'))],
    ['returns an Observable that fails', () => concat(of(1), throwError(() => new Error('no')))],
    ['resolves with an Observable that fails', () => Promise.resolve(throwError(() => new Error('no')))],
  ])('that %s is tried again', async (_, fail) => {
    @Injectable()
    class Failing {
      constructor(readonly notes: Notes) {}

      @Subscribe(OrderPlaced, { group: 'g', retry: atOnce })
      handle(__: OrderPlaced, { attempt }: DeliveryContext): unknown {
        this.notes.add(`attempt ${attempt}`);
        return attempt === 1 ? fail() : undefined;
      }
    }
    expect(await handledBy({ providers: [Failing] })).toEqual(['attempt 1', 'attempt 2']);
  });

  it.each<[string, (done: Observable<never>) => unknown]>([
    ['an Observable', (done) => concat(of(1, 2), done)],
    ['an Observable without values', (done) => done],
    ['a promise of an Observable', (done) => Promise.resolve(concat(of(1), done))],
    ['a promise', (done) => new Promise((resolve) => void done.subscribe({ complete: () => resolve(undefined) }))],
  ])('that returns %s has ended when that has', async (_, result) => {
    @Injectable()
    class Slow {
      constructor(readonly notes: Notes) {}

      @Subscribe(OrderPlaced, { group: 'g', retry: atOnce })
      handle(): unknown {
        return result(defer(() => {
          this.notes.add('completed');
          return EMPTY;
        }));
      }
    }
    expect(await handledBy({ providers: [Slow] })).toEqual(['completed']);
  });

  it('that never ends goes back when the application does', async () => {
    @Injectable()
    class Endless {
      constructor(readonly notes: Notes) {}

      @Subscribe(OrderPlaced, { group: 'g' })
      handle(): Observable<never> {
        this.notes.add('begun');
        return NEVER;
      }
    }
    const prefix = bench.prefix();
    const app = await bench.app({ providers: [Notes, Endless] }, { prefix, shutdownTimeout: '10ms' });
    await app.get(Publisher).publish(OrderPlaced, order);
    await app.get(Notes).has(1);
    await app.close();
    const witness = await bench.app({}, { prefix });
    expect(await witness.get(Inspector).group(topicOf(OrderPlaced), 'g')).toMatchObject({ handled: 0, lag: 1, pending: 0 });
  });
});

describe('a handler that something surrounds', () => {
  const kinds = [
    { kind: 'guard', decorate: UseGuards(Guard), provider: { provide: APP_GUARD, useClass: Guard } },
    { kind: 'pipe', decorate: UsePipes(Pipe), provider: { provide: APP_PIPE, useClass: Pipe } },
    { kind: 'interceptor', decorate: UseInterceptors(Interceptor), provider: { provide: APP_INTERCEPTOR, useClass: Interceptor } },
    { kind: 'filter', decorate: UseFilters(Filter), provider: { provide: APP_FILTER, useClass: Filter } },
  ];

  /** A class anew, as decorators write into it; a handler with a filter has something for it. */
  function handlersFor(kind: string) {
    class Handlers {
      constructor(readonly notes: Notes) {}

      @Subscribe(OrderPlaced, { group: 'g' })
      handle(): void {
        if (kind === 'filter') throw new Error('for the filter');
      }
    }
    Reflect.defineMetadata('design:paramtypes', [Notes], Handlers);
    Injectable()(Handlers);
    return Handlers;
  }

  it.each(kinds)('a $kind of the method', async ({ kind, decorate }) => {
    const Handlers = handlersFor(kind);
    decorate(Handlers.prototype, 'handle', Object.getOwnPropertyDescriptor(Handlers.prototype, 'handle')!);
    expect(await handledBy({ providers: [Handlers] })).toEqual([kind]);
  });

  it.each(kinds)('a $kind of the class', async ({ kind, decorate }) => {
    const Handlers = handlersFor(kind);
    decorate(Handlers);
    expect(await handledBy({ providers: [Handlers] })).toEqual([kind]);
  });

  it.each(kinds)('a global $kind, with globalEnhancers: true', async ({ kind, provider }) => {
    expect(await handledBy({ providers: [handlersFor(kind), provider] }, { globalEnhancers: true })).toEqual([kind]);
  });

  it.each(kinds)('a $kind that the application was given, with globalEnhancers: true', async ({ kind }) => {
    const module = await bench.builder({ providers: [Notes, handlersFor(kind)] }, { globalEnhancers: true }).compile();
    const app = module.createNestApplication({ logger: false });
    const notes = app.get(Notes);
    app.useGlobalGuards(...(kind === 'guard' ? [new Guard(notes)] : []));
    app.useGlobalPipes(...(kind === 'pipe' ? [new Pipe(notes)] : []));
    app.useGlobalInterceptors(...(kind === 'interceptor' ? [new Interceptor(notes)] : []));
    app.useGlobalFilters(...(kind === 'filter' ? [new Filter(notes)] : []));
    await app.init();
    await app.get(Publisher).publish(OrderPlaced, order);
    expect(await notes.has(1)).toEqual([kind]);
    await app.close();
  });
});

describe('a handler whose parameters are not the payload and the context in this order', () => {
  const Trace = createParamDecorator((data: string, context: ExecutionContext) => {
    const { messageId } = context.switchToRpc().getContext<DeliveryContext>();
    return `${data} ${messageId.length}`;
  });

  const orders: [string, [ParameterDecorator, number][], string[]][] = [
    ['a field of the payload', [[Payload('orderId'), 0]], ['a,DeliveryContext']],
    ['a field of the payload behind both', [[Payload('orderId'), 2]], ['OrderPlaced,DeliveryContext,a']],
    ['the context first', [[Ctx(), 0], [Payload(), 1]], ['DeliveryContext,OrderPlaced']],
    ['the payload twice', [[Payload(), 0], [Payload(), 1]], ['OrderPlaced,OrderPlaced']],
    ['a pipe of its own', [[Payload(Pipe), 0]], ['pipe', 'OrderPlaced,DeliveryContext']],
    ['a decorator of its own', [[Trace('trace'), 1]], ['OrderPlaced,trace 36']],
    ['a decorator of its own behind both', [[Trace('trace'), 2]], ['OrderPlaced,DeliveryContext,trace 36']],
    ['both as they are', [[Payload(), 0], [Ctx(), 1]], ['OrderPlaced,DeliveryContext']],
  ];

  it.each(orders)('gets what it asks for: %s', async (_, asked, given) => {
    class Handlers {
      constructor(readonly notes: Notes) {}

      handle(...values: unknown[]): void {
        this.notes.add(values.map((value) => (typeof value === 'string' ? value : value?.constructor.name)).join());
      }
    }
    for (const [decorate, index] of asked) decorate(Handlers.prototype, 'handle', index);
    const descriptor = Object.getOwnPropertyDescriptor(Handlers.prototype, 'handle')!;
    Reflect.defineMetadata('design:paramtypes', [Notes], Handlers);
    Subscribe(OrderPlaced, { group: 'g' })(Handlers.prototype, 'handle', descriptor);
    Injectable()(Handlers);
    expect(await handledBy({ providers: [Handlers] })).toEqual(given);
  });
});
