import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type CanActivate, Injectable, UseGuards } from '@nestjs/common';
import {
  type CallContext, Calls, type CallOptions, Health, localClient, MillraceHealthIndicator, MillraceModule, RpcContract,
  RpcService, withTraceContext,
} from '@millrace/nestjs';
import { IsInt, IsString } from 'class-validator';
import { listen } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bench, failureOf } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

class Charge {
  @IsString() orderId!: string;
  @IsInt() cents!: number;
}

class Charged {
  @IsString() chargeId!: string;
  @IsString() by!: string;
}

@RpcContract<PaymentsApi>('payments', {
  charge: { input: Charge, output: Charged, timeout: '10s', idempotent: true },
  ping: {},
})
abstract class PaymentsApi {
  abstract charge(request: Charge, options?: CallOptions): Promise<Charged>;
  abstract ping(): Promise<void>;
}

let executed: [unknown, CallContext][] = [];
afterEach(() => void (executed = []));

@Injectable()
@RpcService(PaymentsApi, { concurrency: 8 })
class Payments {
  async charge(charge: Charge, context: CallContext): Promise<Charged> {
    executed.push([charge, context]);
    if (charge.cents < 0) throw Object.assign(new Error('a charge must be positive'), { code: 'NEGATIVE' });
    return { chargeId: `c-${charge.orderId}`, by: context.service };
  }

  async ping(_: undefined, context: CallContext): Promise<void> {
    executed.push([_, context]);
  }
}

@Injectable()
class Checkout {
  constructor(readonly payments: PaymentsApi) {}
}

const order = { orderId: 'o1', cents: 500 };

/** A process that calls, and one that serves. */
async function apart(providers: (new () => object)[] = [Payments]): Promise<PaymentsApi> {
  const prefix = bench.prefix();
  await bench.app({ providers }, { prefix });
  const app = await bench.app({ imports: [MillraceModule.forFeature([PaymentsApi])], providers: [Checkout] }, { prefix });
  return app.get(Checkout, { strict: false }).payments;
}

describe('a service', () => {
  it('is called by another process through the class of its contract', async () => {
    const payments = await apart();
    const answer = await payments.charge(order);
    await payments.ping();
    expect(answer).toBeInstanceOf(Charged);
    expect(answer).toEqual({ chargeId: 'c-o1', by: 'payments' });
    const [[charge, context], [nothing]] = executed as [[Charge, CallContext], [unknown]];
    expect(charge).toBeInstanceOf(Charge);
    expect(charge).toEqual(order);
    expect(context).toMatchObject({ service: 'payments', version: '1', method: 'charge', takenOver: false });
    expect(context.remainingMs).toBeGreaterThan(0);
    expect(nothing).toBeUndefined();
  });

  it('may be in the process that calls it', async () => {
    const app = await bench.app({ imports: [MillraceModule.forFeature([PaymentsApi])], providers: [Checkout, Payments] });
    const { payments } = app.get(Checkout, { strict: false });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, cents) => payments.charge({ orderId: `o${cents}`, cents })));
    expect(answers.map(({ chargeId }) => chargeId)).toEqual(Array.from({ length: 200 }, (_, index) => `c-o${index}`));
    expect(await app.get(Health, { strict: false }).ready()).toMatchObject({ ok: true });
  });

  it('may be bound to an implementation in the same process, without Redis', async () => {
    const local = { provide: PaymentsApi, inject: [Payments], useFactory: (own: Payments) => localClient(PaymentsApi, own) };
    const app = await bench.app({ providers: [Checkout, Payments, local] }, { handlers: 'none' });
    expect(await app.get(Checkout).payments.charge(order)).toEqual({ chargeId: 'c-o1', by: 'payments' });
  });

  it('may be asked now and answered later, by its handle, and asked in all instances at once', async () => {
    const prefix = bench.prefix();
    const serving = () => bench.app({ providers: [Payments] }, { prefix });
    const [one, two] = [await serving(), await serving()];
    const calls = (await bench.app({}, { prefix, handlers: 'none' })).get(Calls);
    const charge = calls.method(PaymentsApi, 'charge');
    const { id } = await charge.start(order, { timeout: '1d' });
    // Another process fetches it.
    expect(await one.get(Calls).method(PaymentsApi, 'charge').handle(id).result()).toBeInstanceOf(Charged);
    const answers = await charge.broadcast(order);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(new Set(answers.map(({ instance }) => instance)).size).toBe(2);
    const figures = [one, two].flatMap((app) => app.get(Calls).figures());
    expect(figures.map(({ side, service, method }) => [side, service, method])).toContainEqual(['server', 'payments', 'charge']);
    expect(figures.reduce((sum, { calls: count }) => sum + count, 0)).toBe(3);
    expect(calls.figures()).toEqual([expect.objectContaining({ side: 'caller', method: 'charge', calls: 3, inFlight: 0, failed: {} })]);
  });

  it('is not well when methods that nobody waits for hold all its slots, and says its stacks where it may', async () => {
    const prefix = bench.prefix();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    @Injectable()
    @RpcService(PaymentsApi, { concurrency: 1 })
    class Deaf extends Payments {
      override async charge(charge: Charge, context: CallContext): Promise<Charged> {
        await held;
        return super.charge({ ...charge, cents: -1 }, context);
      }
    }
    const served = await bench.app({ providers: [Deaf] }, { prefix, calls: { exposeStacks: true } });
    const payments = (await bench.app({ imports: [MillraceModule.forFeature([PaymentsApi])], providers: [Checkout] }, { prefix }))
      .get(Checkout, { strict: false }).payments;
    await expect(payments.charge(order, { timeout: '300ms' })).rejects.toMatchObject({ code: 'CALL_TIMEOUT' });
    const health = served.get(Health);
    await waitFor(async () => !(await health.ready()).ok, { what: 'the service to be found stuck', timeoutMs: 40_000 });
    const [state] = (await health.ready()).services;
    expect(state).toMatchObject({ service: 'payments', version: '1', running: 1, overdue: 1, problem: expect.stringContaining('slots') });
    expect(await served.get(MillraceHealthIndicator).isHealthy()).toMatchObject({ millrace: { status: 'down', failing: ['service payments'] } });
    release();
    await waitFor(async () => (await health.ready()).ok, { what: 'the service to be well' });
    const failure = (await payments.charge(order).catch((error: unknown) => error)) as { remote: { stack?: string } };
    expect(failure.remote.stack).toContain('rpc.spec');
  });

  it('gives its errors to the caller, with their codes and without their stacks', async () => {
    const payments = await apart();
    const failure = (await payments.charge({ orderId: 'o1', cents: -1 }).catch((error: unknown) => error)) as { remote: object };
    expect(failure).toMatchObject({
      code: 'REMOTE_FAILED', name: 'RpcRemoteError', remote: { code: 'NEGATIVE', message: 'a charge must be positive' },
    });
    expect(JSON.stringify(failure.remote)).not.toContain('rpc.spec');
  });

  it('refuses a request before it is sent, and executes none that is not valid', async () => {
    const payments = await apart();
    await expect(payments.charge({ orderId: 'o1', cents: 0.5 })).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
    expect(executed).toEqual([]);
  });

  it('has guards around it, and belongs to the trace of its caller', async () => {
    let allows = false;
    const traces: unknown[] = [];
    @Injectable()
    class Gate implements CanActivate {
      canActivate(): boolean {
        return allows;
      }
    }
    @Injectable()
    @RpcService(PaymentsApi)
    class Guarded extends Payments {
      @UseGuards(Gate)
      override charge(charge: Charge, context: CallContext): Promise<Charged> {
        traces.push(context.trace?.traceparent);
        return super.charge(charge, context);
      }
    }
    const payments = await apart([Guarded]);
    await expect(payments.charge(order)).rejects.toMatchObject({ code: 'REMOTE_FAILED', remote: { status: 403 } });
    allows = true;
    const traceparent = `00-${'1'.repeat(32)}-00f067aa0ba902b7-01`;
    await withTraceContext({ traceparent }, () => payments.charge(order));
    expect(traces).toEqual([traceparent]);
  });

  it('is not there when nobody serves it: the call fails at once', async () => {
    const payments = await apart([]);
    await expect(payments.charge(order, { timeout: '1h' })).rejects.toMatchObject({ code: 'NO_INSTANCE' });
  });
});

describe('the services of an application', () => {
  it('are served by the processes that are to', async () => {
    const prefix = bench.prefix();
    const imports = [MillraceModule.forFeature([PaymentsApi])];
    const caller = await bench.app({ imports, providers: [Checkout, Payments] }, { prefix, handlers: 'none' });
    const { payments } = caller.get(Checkout, { strict: false });
    await expect(payments.ping()).rejects.toMatchObject({ code: 'NO_INSTANCE' });
    await bench.app({ providers: [Payments] }, { prefix, handlers: { services: ['payments'] } });
    await payments.ping();
    expect(executed).toHaveLength(1);
  });

  it('end with their process without a failure', async () => {
    const failures: string[] = [];
    const unlisten = listen('loop-failed', ({ loop, error }) => failures.push(`${loop}: ${error.message}`));
    const serving = await bench.app({ providers: [Payments] });
    await serving.close();
    unlisten();
    expect(failures).toEqual([]);
  });

  it('are refused when two classes implement one, or two contracts have one name', async () => {
    @RpcService(PaymentsApi)
    class Others extends Payments {}
    expect(await failureOf(bench.app({ providers: [Payments, Others] }))).toMatchObject({
      code: 'CONTRACT_CONFLICT', message: expect.stringContaining("Payments and Others both implement service 'payments'"),
    });
    @RpcContract<Other>('payments', { ping: {} })
    abstract class Other {
      abstract ping(): Promise<void>;
    }
    expect(await failureOf(bench.app({ imports: [MillraceModule.forFeature([Other])], providers: [Payments] }))).toMatchObject({
      code: 'CONTRACT_CONFLICT', message: expect.stringContaining("the same @RpcContract name 'payments'"),
    });
  });

  it('are refused with options that are wrong, and selected by names that exist', async () => {
    @RpcService(PaymentsApi, { concurency: 1 } as never)
    class Misconfigured extends Payments {}
    expect(await failureOf(bench.app({ providers: [Misconfigured] }))).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(await failureOf(bench.app({ providers: [Payments] }, { handlers: { services: ['payment'] } }))).toMatchObject({
      code: 'UNKNOWN_SERVICE', message: expect.stringContaining("'payments'"),
    });
  });
});

/** The compiler is the test: `@ts-expect-error` is an error itself where the line below it compiles. */
describe('an implementation', () => {
  it('must have the methods of its contract, which take and give what it says', () => {
    const apply = (decorate: () => unknown): unknown => {
      try {
        return decorate();
      } catch (thrown) {
        return thrown;
      }
    };
    class Lacking {
      ping(): Promise<void> {
        return Promise.resolve();
      }
    }
    class Wrong extends Lacking {
      charge(request: { readonly amount: number }): Promise<Charged> {
        return Promise.resolve({ chargeId: String(request.amount), by: '' });
      }
    }
    class Answering extends Lacking {
      charge(): Promise<{ readonly chargeId: number }> {
        return Promise.resolve({ chargeId: 1 });
      }
    }
    // @ts-expect-error it has no charge()
    expect(apply(() => RpcService(PaymentsApi)(Lacking))).toMatchObject({ code: 'CONTRACT_CONFLICT' });
    // @ts-expect-error its charge() takes another request
    expect(apply(() => RpcService(PaymentsApi)(Wrong))).toBeUndefined();
    // @ts-expect-error its charge() gives another answer
    expect(apply(() => RpcService(PaymentsApi)(Answering))).toBeUndefined();
    // @ts-expect-error a contract names every method
    expect(() => RpcContract<PaymentsApi>('payments', { ping: {} })).toBeDefined();
    // @ts-expect-error a request is of the class that the method takes
    expect(() => RpcContract<PaymentsApi>('payments', { ping: {}, charge: { input: Charged, output: Charged } })).toBeDefined();
  });
});
