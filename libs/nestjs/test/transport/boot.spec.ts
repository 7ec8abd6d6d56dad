import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, type Type } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { MillraceServer } from '@millrace/nestjs';
import { failureOf } from '../fixture.js';
import { EventPattern, TransportBench } from './fixture.js';

let bench: TransportBench;
beforeAll(async () => void (bench = await TransportBench.start()));
beforeEach(() => bench.begin());
afterEach(() => bench.closeAll());
afterAll(() => bench.stop());

async function refusal(...controllers: Type[]) {
  return failureOf(bench.listening(controllers));
}

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

  it('is refused for options that contradict each other, that are unknown, or that another decorator takes', async () => {
    @Controller()
    class Contradicting {
      @EventPattern('order.placed', { concurrency: 1 })
      one() {}

      @EventPattern('order.placed', { concurrency: 2 })
      two() {}
    }
    @Controller()
    class Unknown {
      @EventPattern('order.placed', { gruop: 'audit' })
      one() {}
    }
    @Controller()
    class Inbox {
      @EventPattern('order.placed', { inbox: true })
      one() {}
    }
    expect((await refusal(Contradicting)).message).toContain('another handler of the same topic and group has another concurrency');
    expect((await refusal(Unknown)).message).toContain("did you mean 'group'");
    expect((await refusal(Inbox)).message).toContain('inbox is for @Subscribe alone');
  });

  it('leaves no connection behind', async () => {
    @Controller()
    class Inbox {
      @EventPattern('order.placed', { inbox: true })
      one() {}
    }
    const server = bench.server();
    server.addHandler('order.placed', async () => undefined, true, { inbox: true });
    const given = await new Promise((resolve) => void server.listen(resolve));
    expect(given).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(() => server.unwrap()).toThrow('not listening');
    expect(Inbox).toBeDefined();
  });

  it('is told of all mistakes in its options at once', () => {
    const wrong = { servce: 'shop', concurrency: 0, prefix: 'a b' };
    expect(() => new MillraceServer(wrong as never)).toThrow(/service.*concurrency.*prefix/s);
  });
});
