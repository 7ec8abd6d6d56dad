import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CallHandler, type CanActivate, type ExecutionContext, Injectable, type NestInterceptor, SetMetadata, UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type CallContext, type CallOptions, localClient, MillraceModule, RpcContract, RpcService } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { IsInt, IsString } from 'class-validator';
import { concat, NEVER, type Observable, of, tap } from 'rxjs';
import { Bench } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

class WatchRequest {
  @IsString() symbol!: string;
}

class Price {
  @IsInt() cents!: number;
}

@RpcContract<PricesApi>('prices', { watch: { input: WatchRequest, items: Price, timeout: '10m' } })
abstract class PricesApi {
  abstract watch(request: WatchRequest, options?: CallOptions): AsyncIterable<Price>;
}

let closed = 0;
afterEach(() => void (closed = 0));

@Injectable()
@RpcService(PricesApi)
class Prices {
  async *watch(request: WatchRequest, context: CallContext): AsyncGenerator<Price> {
    try {
      for (let cents = 0; request.symbol === 'all' || cents < 5; cents += 1) {
        if (context.signal.aborted) return;
        yield { cents };
      }
    } finally {
      closed += 1;
    }
  }
}

@Injectable()
class Board {
  constructor(readonly prices: PricesApi) {}
}

/** A process that calls, and one that serves. */
async function apart(service: new () => object = Prices): Promise<PricesApi> {
  const prefix = bench.prefix();
  await bench.app({ providers: [service] }, { prefix });
  const app = await bench.app({ imports: [MillraceModule.forFeature([PricesApi])], providers: [Board] }, { prefix });
  return app.get(Board, { strict: false }).prices;
}

async function gathered(items: AsyncIterable<Price>): Promise<Price[]> {
  const found: Price[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const five = Array.from({ length: 5 }, (_, cents) => ({ cents }));

describe('a streamed method of a service', () => {
  it('is iterated over by another process, and closed when that has enough', async () => {
    const prices = await apart();
    const found = await gathered(prices.watch({ symbol: 'A' }));
    expect(found).toEqual(five);
    for (const price of found) expect(price).toBeInstanceOf(Price);
    for await (const { cents } of prices.watch({ symbol: 'all' })) if (cents === 500) break;
    await waitFor(() => closed === 2, { what: 'both methods to be closed' });
  });

  it('may be bound to an implementation in the same process, without Redis', async () => {
    const local = { provide: PricesApi, inject: [Prices], useFactory: (own: Prices) => localClient(PricesApi, own) };
    const app = await bench.app({ providers: [Board, Prices, local] }, { handlers: 'none' });
    expect(await gathered(app.get(Board).prices.watch({ symbol: 'A' }))).toEqual(five);
  });

  it('may be left while it is quiet, also where it was called before there was a connection', async () => {
    @Injectable()
    @RpcService(PricesApi)
    class Quiet {
      async *watch(_: WatchRequest, { signal }: CallContext): AsyncGenerator<Price> {
        yield { cents: 1 };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        closed += 1;
      }
    }
    const prefix = bench.prefix();
    await bench.app({ providers: [Quiet] }, { prefix });
    const metadata = { imports: [MillraceModule.forFeature([PricesApi])], providers: [Board] };
    const app = await bench.builder(metadata, { prefix }).compile();
    const items = app.get(Board, { strict: false }).prices.watch({ symbol: 'A' })[Symbol.asyncIterator]();
    expect(await items.next()).toEqual({ done: false, value: { cents: 1 } });
    const next = items.next();
    await items.return!();
    expect(await next).toEqual({ done: true, value: undefined });
    await waitFor(() => closed === 1, { what: 'the method to be closed' });
    await app.close();
  });

  it('has guards and interceptors around it, which see the method', async () => {
    let allows = false;
    const seen: unknown[] = [];
    @Injectable()
    class Gate implements CanActivate {
      constructor(readonly reflector: Reflector) {}

      canActivate(context: ExecutionContext): boolean {
        seen.push(this.reflector.get('role', context.getHandler()), context.getArgs()[0]);
        return allows;
      }
    }
    @Injectable()
    class Note implements NestInterceptor {
      intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle().pipe(tap(() => seen.push('returned')));
      }
    }
    @Injectable()
    @RpcService(PricesApi)
    class Guarded extends Prices {
      @UseGuards(Gate)
      @UseInterceptors(Note)
      @SetMetadata('role', 'trader')
      override watch(request: WatchRequest, context: CallContext): AsyncGenerator<Price> {
        return super.watch(request, context);
      }
    }
    const prices = await apart(Guarded);
    await expect(gathered(prices.watch({ symbol: 'A' }))).rejects.toMatchObject({ code: 'REMOTE_FAILED', remote: { status: 403 } });
    allows = true;
    expect(await gathered(prices.watch({ symbol: 'A' }))).toEqual(five);
    expect(seen).toEqual(['trader', { symbol: 'A' }, 'trader', { symbol: 'A' }, 'returned']);
    expect(seen[1]).toBeInstanceOf(WatchRequest);
  });

  it.each(['bare', 'surrounded'] as const)('is refused at once when it gives an Observable that never ends: %s', async (how) => {
    @Injectable()
    class Note implements NestInterceptor {
      intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle();
      }
    }
    class Observing {
      watch(): never {
        return concat(of({ cents: 1 }), NEVER) as never;
      }
    }
    @Injectable()
    @RpcService(PricesApi)
    class Bare extends Observing {}
    @Injectable()
    @UseInterceptors(Note)
    @RpcService(PricesApi)
    class Surrounded extends Observing {}
    const prices = await apart(how === 'bare' ? Bare : Surrounded);
    await expect(gathered(prices.watch({ symbol: 'A' }))).rejects.toMatchObject({
      code: 'INVALID_PAYLOAD', message: expect.stringContaining('an Observable is none'),
    });
  });
});

/** The compiler is the test: `@ts-expect-error` is an error itself where the line below it compiles. */
describe('an implementation of a streamed method', () => {
  it('must give items of the class', () => {
    class Once {
      watch(): Promise<Price> {
        return Promise.resolve({ cents: 1 });
      }
    }
    class Others {
      async *watch(): AsyncGenerator<{ readonly cents: string }> {
        yield { cents: 'x' };
      }
    }
    class Observing {
      watch(): Observable<Price> {
        return of({ cents: 1 });
      }
    }
    class Promised {
      watch(request: WatchRequest, context: CallContext): Promise<AsyncIterable<Price>> {
        return Promise.resolve(new Prices().watch(request, context));
      }
    }
    // @ts-expect-error it gives no stream
    expect(() => RpcService(PricesApi)(Once)).toBeDefined();
    // @ts-expect-error its items are of another class
    expect(() => RpcService(PricesApi)(Others)).toBeDefined();
    // @ts-expect-error an Observable is pushed, however fast it is taken
    expect(() => RpcService(PricesApi)(Observing)).toBeDefined();
    expect(() => RpcService(PricesApi)(Promised)).toBeDefined();
  });
});
