import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, type Type } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { MessageType, MillraceServer, Topic } from '@millrace/nestjs';
import { failureOf } from '../fixture.js';
import { EventPattern, toolsOf, TransportBench } from './fixture.js';

let bench: TransportBench;
beforeAll(async () => void (bench = await TransportBench.start()));
beforeEach(() => bench.begin());
afterEach(() => bench.closeAll());
afterAll(() => bench.stop());

async function refusal(...controllers: Type[]) {
  return failureOf(bench.listening(controllers));
}

describe('an extra without a value', () => {
  it('is none: the handler is in the group of its server, and has its options', async () => {
    @Controller()
    class Orders {
      @EventPattern('order.placed', { group: undefined, retry: undefined })
      one() {}

      @EventPattern('order.placed', { retry: { attempts: 7 } })
      two() {}
    }
    const app = await bench.listening([Orders]);
    expect(toolsOf(app).subscriptions()).toMatchObject([{ topic: 'order.placed', group: 'shop' }]);
  });
});

describe('an application that cannot be served', () => {
  it('is refused when one pattern has a message and an event handler', async () => {
    @Controller()
    class Sums {
      @MessagePattern('sum')
      sum() {
        return 1;
      }

      @EventPattern('sum')
      summed() {}
    }
    const { code, message } = await refusal(Sums);
    expect(code).toBe('CONTRACT_CONFLICT');
    expect(message).toContain('The pattern "sum" has a @MessagePattern and an @EventPattern');
  });

  it('is refused when two methods would answer to one pattern, however its keys are ordered', async () => {
    @Controller()
    class Sums {
      @MessagePattern({ cmd: 'sum', v: 1 })
      one() {
        return 1;
      }

      @MessagePattern({ v: 1, cmd: 'sum' })
      two() {
        return 2;
      }
    }
    const { code, message } = await refusal(Sums);
    expect(code).toBe('CONTRACT_CONFLICT');
    expect(message).toContain('stands on two methods, and only one of them could answer');
  });

  it('is refused when a request is to have its effects once, as an event may', async () => {
    @Controller()
    class Sums {
      @MessagePattern('sum', { inbox: true })
      sum() {
        return 1;
      }
    }
    const { code, message } = await refusal(Sums);
    expect(code).toBe('INVALID_OPTIONS');
    expect(message).toContain('@MessagePattern("sum") has inbox, which handlers of events alone have');
  });

  it('is refused, with all of them, for patterns that no topic can be named after', async () => {
    class NoTopic {}
    @Controller()
    class Orders {
      @EventPattern({ cmd: 'placed' })
      one() {}

      @EventPattern('order placed')
      two() {}

      @EventPattern('order.*.a b')
      three() {}

      @EventPattern(NoTopic)
      four() {}
    }
    const { code, problems } = await refusal(Orders);
    expect(code).toBe('INVALID_NAME');
    expect(problems).toEqual([
      expect.stringContaining('no topic can be named after an object'),
      expect.stringMatching(/"order placed".*no topic can be named after it/),
      expect.stringMatching(/"order\.\*\.a b".*no topic can be named after it/),
      expect.stringContaining('the class is no topic'),
    ]);
  });

  it('is refused for a pattern so large that Nest could not tell it from others', async () => {
    @Controller()
    class Sums {
      @MessagePattern(Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`k${index}`, index])))
      sum() {
        return 1;
      }
    }
    expect((await refusal(Sums)).message).toContain('more than 20 keys');
  });

  it('is refused for options that contradict each other, or that are unknown, also under a wildcard that stands for no topic yet', async () => {
    @Controller()
    class Contradicting {
      @EventPattern('order.placed', { concurrency: 1 })
      one() {}

      @EventPattern('order.placed', { concurrency: 2 })
      two() {}
    }
    @Controller()
    class Overlapping {
      @EventPattern('order.*', { concurrency: 1 })
      one() {}

      @EventPattern('order.#', { concurrency: 2 })
      two() {}
    }
    @Controller()
    class Unknown {
      @EventPattern('order.*', { gruop: 'audit' })
      one() {}
    }
    expect((await refusal(Contradicting)).message).toContain("another handler of the same topic, 'order.placed', and group has another concurrency");
    expect((await refusal(Overlapping)).message).toContain('and group has another concurrency');
    expect((await refusal(Unknown)).message).toContain("did you mean 'group'");
  });

  it('is refused when a handler whose effects are to happen once shares its group', async () => {
    @Controller()
    class Stock {
      @EventPattern('order.placed', { inbox: true })
      reserve() {}

      @EventPattern('order.placed', { group: 'billing', idempotency: true })
      bill() {}

      @EventPattern('order.*')
      any() {}

      @EventPattern('order.>', { group: 'billing' })
      other() {}
    }
    const { code, problems } = await failureOf(bench.listening([Stock], { database: 'postgres://127.0.0.1:1/none' }));
    expect(code).toBe('INVALID_OPTIONS');
    expect(problems).toEqual([
      expect.stringContaining(`@EventPattern("order.placed") has inbox, and shares the group 'shop' of topic 'order.placed' with other handlers`),
      expect.stringContaining(`@EventPattern("order.placed") has idempotency, and shares the group 'billing' of topic 'order.placed'`),
    ]);
  });

  it('is refused when a handler has the inbox, and no database is named', async () => {
    @Controller()
    class Stock {
      @EventPattern('order.*', { inbox: true })
      reserve() {}
    }
    const { code, message } = await refusal(Stock);
    expect(code).toBe('INBOX_NOT_CONFIGURED');
    expect(message).toContain('@EventPattern("order.*") has inbox: true, but no database is named: set DATABASE_URL, or give MillraceServer');
  });

  it('is refused when a filter asks for a type that its topic does not have', async () => {
    @Topic('typed.orders')
    class OrderEvent {}
    @MessageType('placed')
    class Placed extends OrderEvent {}
    @Controller()
    class Orders {
      @EventPattern(OrderEvent, { filter: { type: 'plaecd' } })
      one() {}
    }
    const { code, message } = await refusal(Orders);
    expect(Placed).toBeDefined();
    expect(code).toBe('UNKNOWN_MESSAGE_TYPE');
    expect(message).toContain(`The filter of @EventPattern("typed.orders") on topic 'typed.orders'`);
  });

  it('leaves no connection behind', async () => {
    const server = bench.server();
    server.addHandler('order.placed', async () => undefined, true, { concurrency: 0 });
    const given = await new Promise((resolve) => void server.listen(resolve));
    expect(given).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(() => server.unwrap()).toThrow('not listening');
  });

  it('is told of all mistakes in its options at once', () => {
    const wrong = { servce: 'shop', concurrency: 0, prefix: 'a b' };
    expect(() => new MillraceServer(wrong as never)).toThrow(/service.*concurrency.*prefix/s);
  });
});
