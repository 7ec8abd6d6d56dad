import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type ArgumentMetadata,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  ForbiddenException,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { APP_GUARD, Reflector } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { EMPTY, map, type Observable, tap } from 'rxjs';
import { topicOf } from '@millrace/core';
import { DeadLetter, DeliveryContext, Inspector, Publisher, Subscribe } from '@millrace/nestjs';
import { atOnce, Bench, failureOf, Journal, OrderPlaced } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

const order: OrderPlaced = { orderId: 'a', amount: 1 };

@Injectable()
class Notes extends Journal {}

@Injectable()
class Guard implements CanActivate {
  constructor(private readonly notes: Notes, private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const rpc = context.switchToRpc();
    const isKnown = rpc.getContext<unknown>() instanceof DeliveryContext && rpc.getData<unknown>() instanceof OrderPlaced;
    this.notes.add(`guard ${context.getType()} ${context.getClass().name}.${context.getHandler().name} ${isKnown}`);
    return !this.reflector.get<boolean>('closed', context.getHandler());
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  constructor(private readonly notes: Notes) {}

  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.notes.add('before');
    return next.handle().pipe(tap(() => this.notes.add('after')));
  }
}

@Injectable()
class Pipe implements PipeTransform {
  constructor(private readonly notes: Notes) {}

  transform(value: unknown, { metatype }: ArgumentMetadata): unknown {
    this.notes.add(`pipe ${metatype?.name ?? ''}`);
    return value;
  }
}

@Catch()
@Injectable()
class Swallow implements ExceptionFilter {
  constructor(private readonly notes: Notes) {}

  catch(thrown: Error, host: ArgumentsHost): void {
    this.notes.add(`filter ${host.getType()} ${thrown.message}`);
  }
}

describe('around a handler', () => {
  it('runs guards, interceptors and pipes with their dependencies, on providers and controllers', async () => {
    class Handlers {
      constructor(readonly notes: Notes) {}

      @UseGuards(Guard)
      @UseInterceptors(Interceptor)
      @UsePipes(Pipe)
      @Subscribe(OrderPlaced, { group: 'provider' })
      handle({ orderId }: OrderPlaced, { attempt }: DeliveryContext): void {
        this.notes.add(`handled ${orderId} ${attempt}`);
      }
    }
    Injectable()(Handlers);
    Reflect.defineMetadata('design:paramtypes', [Notes], Handlers);
    const steps = ['guard rpc Handlers.handle true', 'before', 'pipe OrderPlaced', 'pipe DeliveryContext', 'handled a 1', 'after'];
    const provided = await bench.app({ providers: [Notes, Handlers] });
    await provided.get(Publisher).publish(OrderPlaced, order);
    expect(await provided.get(Notes).has(6)).toEqual(steps);
    Controller()(Handlers);
    const controlled = await bench.app({ providers: [Notes], controllers: [Handlers] });
    await controlled.get(Publisher).publish(OrderPlaced, order);
    expect(await controlled.get(Notes).has(6)).toEqual(steps);
  });

  it.each([Scope.REQUEST, Scope.TRANSIENT])('runs a guard of scope %s', async (scope) => {
    @Injectable({ scope })
    class Scoped implements CanActivate {
      constructor(private readonly notes: Notes) {}

      canActivate(): boolean {
        this.notes.add('guard');
        return true;
      }
    }
    @Injectable()
    class Handlers {
      constructor(readonly notes: Notes) {}

      @UseGuards(Scoped)
      @Subscribe(OrderPlaced, { group: 'inventory' })
      handle(): void {
        this.notes.add('handled');
      }
    }
    const app = await bench.app({ providers: [Notes, Handlers] });
    await app.get(Publisher).publish(OrderPlaced, order);
    expect(await app.get(Notes).has(2)).toEqual(['guard', 'handled']);
  });

  it('takes a denial for a failure like any other: retried, or dead-lettered where the policy says so', async () => {
    @Injectable()
    class Denied implements CanActivate {
      constructor(private readonly notes: Notes) {}

      canActivate(context: ExecutionContext): boolean {
        const { attempt, group } = context.switchToRpc().getContext<DeliveryContext>();
        this.notes.add(`${group} ${attempt}`);
        return attempt > 1;
      }
    }
    @UseGuards(Denied)
    @Injectable()
    class Handlers {
      constructor(readonly notes: Notes) {}

      @Subscribe(OrderPlaced, { group: 'patient', retry: atOnce })
      patient(): void {
        this.notes.add('handled');
      }

      @Subscribe(OrderPlaced, { group: 'strict', retry: { ...atOnce, deadLetterOn: [ForbiddenException] } })
      strict(): void {
        this.notes.add('not to be called');
      }
    }
    const app = await bench.app({ providers: [Notes, Handlers] });
    await app.get(Publisher).publish(OrderPlaced, order);
    expect((await app.get(Notes).has(4)).sort()).toEqual(['handled', 'patient 1', 'patient 2', 'strict 1']);
    await app.close();
  });

  it('acknowledges what a filter swallows, and what an interceptor skips', async () => {
    @Injectable()
    class Skip implements NestInterceptor {
      intercept(): Observable<unknown> {
        return EMPTY;
      }
    }
    @Injectable()
    class Handlers {
      constructor(readonly notes: Notes) {}

      @UseFilters(Swallow)
      @Subscribe(OrderPlaced, { group: 'swallowed', retry: atOnce })
      swallowed(): void {
        throw new Error('bad');
      }

      @UseInterceptors(Skip)
      @Subscribe(OrderPlaced, { group: 'skipped', retry: atOnce })
      skipped(): void {
        this.notes.add('not to be called');
      }

      @Subscribe(OrderPlaced, { group: 'later' })
      later({ orderId }: OrderPlaced): void {
        this.notes.add(`later ${orderId}`);
      }
    }
    const app = await bench.app({ providers: [Notes, Handlers] });
    await app.get(Publisher).publish(OrderPlaced, order);
    expect((await app.get(Notes).has(2)).sort()).toEqual(['filter rpc bad', 'later a']);
    const inspector = app.get(Inspector);
    await settled(inspector, 'swallowed');
    await settled(inspector, 'skipped');
    expect(await inspector.group(topicOf(OrderPlaced), 'swallowed')).toMatchObject({ handled: 1, retried: 0, deadLettered: 0 });
    expect(await inspector.group(topicOf(OrderPlaced), 'skipped')).toMatchObject({ handled: 1, retried: 0, deadLettered: 0 });
  });

  it('lets a filter throw another error, and keeps filters away from outcomes that the handler throws', async () => {
    class Fatal extends Error {}
    @Catch()
    class Translate implements ExceptionFilter {
      catch(): void {
        throw new Fatal('translated');
      }
    }
    @Injectable()
    class Handlers {
      @UseFilters(Translate)
      @Subscribe(OrderPlaced, { group: 'translated', retry: { attempts: 5, deadLetterOn: [Fatal] } })
      translated(): void {
        throw new Error('bad');
      }

      @UseFilters(Swallow)
      @Subscribe(OrderPlaced, { group: 'given-up' })
      givenUp(): void {
        throw new DeadLetter('no use');
      }
    }
    const app = await bench.app({ providers: [Notes, Handlers] });
    await app.get(Publisher).publish(OrderPlaced, order);
    const inspector = app.get(Inspector);
    await settled(inspector, 'translated');
    await settled(inspector, 'given-up');
    const [letter] = await inspector.deadLetters(topicOf(OrderPlaced), 'translated', 10);
    expect(letter!.error).toMatchObject({ message: 'translated' });
    expect(await inspector.group(topicOf(OrderPlaced), 'given-up')).toMatchObject({ deadLettered: 1, handled: 0 });
  });

  it('understands @Payload() and @Ctx() of @nestjs/microservices, with pipes of their own', async () => {
    class Loud implements PipeTransform {
      transform(value: string): string {
        return value.toUpperCase();
      }
    }
    @Injectable()
    class Handlers {
      constructor(readonly notes: Notes) {}

      @Subscribe(OrderPlaced, { group: 'inventory' })
      handle(@Payload() { orderId }: OrderPlaced, @Ctx() { attempt }: DeliveryContext, @Payload('orderId', Loud) loud?: string): void {
        this.notes.add(`${orderId} ${attempt} ${loud ?? ''}`);
      }

      @Subscribe(OrderPlaced, { group: 'audit' })
      audit(@Payload(Pipe) { orderId }: OrderPlaced, { group }: DeliveryContext): void {
        this.notes.add(`${orderId} ${group}`);
      }
    }
    const app = await bench.app({ providers: [Notes, Handlers] });
    await app.get(Publisher).publish(OrderPlaced, order);
    expect((await app.get(Notes).has(3)).sort()).toEqual(['a 1 A', 'a audit', 'pipe OrderPlaced']);
  });

  it('refuses guards that Nest would not make', async () => {
    class Made {
      @UseGuards(Guard)
      @Subscribe(OrderPlaced, { group: 'inventory' })
      handle(): void {
        throw new Error('not to be called');
      }
    }
    const error = await failureOf(bench.app({ providers: [Notes, { provide: 'made', useFactory: () => new Made() }] }));
    expect(error.message).toContain('The guard Guard of Made.handle() would not run');
  });
});

describe('global enhancers', () => {
  @Injectable()
  class DenyAll implements CanActivate {
    canActivate(): boolean {
      return false;
    }
  }
  class AddOne implements NestInterceptor {
    constructor(private readonly notes: Notes) {}

    intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
      this.notes.add('global interceptor');
      return next.handle().pipe(map((value: unknown) => value));
    }
  }
  @Injectable()
  class Handlers {
    constructor(readonly notes: Notes) {}

    @Subscribe(OrderPlaced, { group: 'inventory', retry: { attempts: 1 } })
    handle(): void {
      this.notes.add('handled');
    }
  }
  const denied = { providers: [Notes, Handlers, { provide: APP_GUARD, useClass: DenyAll }] };

  it('do not touch messages', async () => {
    const app = await bench.app(denied);
    await app.get(Publisher).publish(OrderPlaced, order);
    expect(await app.get(Notes).has(1)).toEqual(['handled']);
  });

  it('surround messages with globalEnhancers: true', async () => {
    const app = await bench.app(denied, { globalEnhancers: true });
    await app.get(Publisher).publish(OrderPlaced, order);
    await settled(app.get(Inspector), 'inventory');
    expect(await app.get(Inspector).group(topicOf(OrderPlaced), 'inventory')).toMatchObject({ deadLettered: 1 });
    expect(app.get(Notes).entries).toEqual([]);
  });

  it.each([
    [true, ['global interceptor', 'handled']],
    [false, ['handled']],
  ])('set by app.useGlobalInterceptors, with globalEnhancers: %s', async (globalEnhancers, expected) => {
    const module = await bench.builder({ providers: [Notes, Handlers] }, { globalEnhancers }).compile();
    const app = module.createNestApplication({ logger: false });
    app.useGlobalInterceptors(new AddOne(app.get(Notes)));
    await app.init();
    await app.get(Publisher).publish(OrderPlaced, order);
    expect(await app.get(Notes).has(expected.length)).toEqual(expected);
    await app.close();
  });

  it('that are request-scoped are refused, since they would be left out', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends DenyAll {}
    const metadata = { providers: [Notes, Handlers, { provide: APP_GUARD, useClass: PerRequest }] };
    expect((await failureOf(bench.app(metadata, { globalEnhancers: true }))).message).toContain('globalEnhancers: true cannot apply');
    await bench.app(metadata);
  });
});

/** Waits until the group has settled everything, by asking: there is nothing to be told by. */
async function settled(inspector: Inspector, group: string): Promise<void> {
  while ((await inspector.group(topicOf(OrderPlaced), group)).lag > 0) await new Promise((resolve) => setImmediate(resolve));
}
