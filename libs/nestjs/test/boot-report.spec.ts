import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { startTestRedis, TypeScriptChild, waitFor } from '@millrace/testing';
import {
  Job, JobHandler, JobQueue, MessageType, MillraceModule, Publisher, replicated, RpcContract, Subscribe, SubscribeBroadcast,
  Topic,
} from '@millrace/nestjs';
import { IsString } from 'class-validator';
import { Bench, failureOf, OrderCancelled, OrderPlaced, SendConfirmation } from './fixture.js';
import { Kept } from './kept.js';

let bench: Bench;
const children: TypeScriptChild[] = [];
beforeAll(async () => void (bench = await Bench.start()));
afterEach(async () => {
  await bench.closeApps();
  await Promise.all(children.splice(0).map((child) => child.kill()));
});
afterAll(() => bench.stop());

@Injectable()
class Handlers {
  @Subscribe(OrderPlaced, { group: 'inventory' })
  @Subscribe(OrderCancelled, { group: 'inventory' })
  handle(): void {
    // Nothing to do.
  }

  @Subscribe(OrderPlaced, { group: 'statistics' })
  count(): void {
    // Nothing to do.
  }

  @SubscribeBroadcast(OrderCancelled)
  forget(): void {
    // Nothing to do.
  }

  @JobHandler(SendConfirmation)
  send(): void {
    // Nothing to do.
  }
}

@RpcContract<WeatherApi>('weather', { refresh: {} })
abstract class WeatherApi {
  abstract refresh(): Promise<void>;
}

const features = MillraceModule.forFeature([OrderPlaced, SendConfirmation]);

describe('the log at start', () => {
  it('says in one line which Redis, database, prefix, groups, queues and topics the process serves, without passwords', async () => {
    const kept = new Kept();
    const redis = bench.redis.url.replace('redis://', 'redis://default:@');
    const options = { prefix: 'served', redis: `${redis}/2`, handlers: { groups: ['inventory'], queues: ['emails'] } };
    await bench.start(bench.builder({ imports: [features], providers: [Handlers] }, options), kept);
    const place = `127.0.0.1:${bench.redis.port}/2`;
    expect(kept.entries.map((line) => line.replace(/(Redis|Valkey) [\d.]+ at/, 'Redis X at'))).toEqual([
      `log serving Redis X at redis://***@${place}, prefix served, no database; groups: inventory (shop.orders.placed, ` +
        'shop.orders.cancelled); broadcasts: shop.orders.cancelled; queues: emails; topics: shop.orders.placed, shop.orders.cancelled',
    ]);
  });

  it('says as well that a process runs no handler', async () => {
    const kept = new Kept();
    await bench.start(bench.builder({ imports: [features], providers: [Handlers] }, { handlers: 'none' }), kept);
    expect(kept.entries).toEqual([expect.stringMatching(/; groups: none; queues: none; topics: shop\.orders\.placed$/)]);
  });

  it('names the services that the process calls', async () => {
    const kept = new Kept();
    await bench.start(bench.builder({ imports: [MillraceModule.forFeature([WeatherApi])] }), kept);
    expect(kept.entries).toEqual([expect.stringMatching(/; groups: none; queues: none; calls: weather; topics: none$/)]);
  });
});

describe('a process with handlers that nothing drains on SIGTERM', () => {
  /** Its lines until it has had the time to look. */
  async function linesOf(env: NodeJS.ProcessEnv): Promise<string[]> {
    const child = new TypeScriptChild(new URL('./fixtures/application.ts', import.meta.url), {
      env: { REDIS_URL: bench.redis.url, MILLRACE_PREFIX: bench.prefix(), ...env },
    });
    children.push(child);
    const lines: string[] = [];
    while (lines.at(-1) !== 'looked') lines.push(await child.line());
    return lines.filter((line) => line !== 'looked');
  }

  it.each(['plain', 'worker'])('is told in its log: %s', async (how) => {
    const told = expect.stringMatching(/^warn .*Call app\.enableShutdownHooks\(\) when the application is made/);
    expect(await linesOf({ HOW: how })).toEqual([expect.stringContaining('; groups: application (worker.begun);'), told]);
  });

  it.each([
    ['that enabled its shutdown hooks', { HOW: 'hooks' }, 'application (worker.begun)'],
    ['that runs no handler, by MILLRACE_HANDLERS=none', { HOW: 'plain', MILLRACE_HANDLERS: 'none' }, 'none'],
  ])('is not told of an application %s', async (_, env, groups) => {
    expect(await linesOf(env)).toEqual([expect.stringContaining(`; groups: ${groups}; queues: none;`)]);
  });
});

describe('MillraceModule.forFeature without forRoot', () => {
  it.each([['of topics alone', [OrderPlaced]], ['of jobs', [OrderPlaced, SendConfirmation]]])('is refused: %s', async (_, contracts) => {
    @Module({ imports: [MillraceModule.forFeature(contracts)] })
    class Shop {}
    const error = await failureOf(Test.createTestingModule({ imports: [Shop] }).setLogger(new Kept()).compile());
    expect(error.code).toBe('INVALID_OPTIONS');
    expect(error.message).toContain('MillraceModule.forFeature is imported, but MillraceModule.forRoot is not');
  });
});

describe('a contract without a single rule', () => {
  @Topic('ruleless.topic')
  class RulelessTopic {
    a!: string;
  }
  @Job('ruleless-job', { queue: 'ruleless' })
  class RulelessJob {
    a!: string;
  }
  @Topic('ruleless.types')
  class Abstract {}
  @MessageType('with')
  class WithRule extends Abstract {
    @IsString() a!: string;
  }
  @MessageType('without')
  class Without extends Abstract {
    a!: string;
  }

  it('that says itself that it keeps everything is not told', async () => {
    @Topic('kept.topic', { unknownProperties: 'keep' })
    class KeptTopic {}
    @Job('kept-job', { queue: 'ruleless', unknownProperties: 'keep' })
    class KeptJob {}
    const kept = new Kept();
    const imports = [MillraceModule.forFeature([KeptTopic, KeptJob, RulelessTopic])];
    await bench.start(bench.builder({ imports }, { unknownProperties: 'keep' }), kept);
    expect(kept.entries.filter((line) => line.startsWith('warn '))).toEqual([expect.stringContaining('RulelessTopic, the class of')]);
  });

  it('is told once at boot, where it is published and where it is handled', async () => {
    @Injectable()
    class Ruleless {
      @Subscribe(RulelessTopic, { group: 'a' })
      @Subscribe(Abstract, { group: 'a' })
      handle(): void {
        // Nothing to do.
      }
    }
    const kept = new Kept();
    const imports = [MillraceModule.forFeature([RulelessTopic, RulelessJob, WithRule, Without, OrderPlaced])];
    await bench.start(bench.builder({ imports, providers: [Ruleless] }), kept);
    const told = kept.entries.filter((line) => line.startsWith('warn ')).map((line) => /warn (.*), has no rule/.exec(line)?.[1]);
    expect(told.sort()).toEqual([
      "RulelessJob, the class of job 'ruleless-job'", "RulelessTopic, the class of topic 'ruleless.topic'",
      "Without, the class of type 'without' of topic 'ruleless.types'",
    ]);
  });
});

describe('a group or queue that is declared here and runs in no process', () => {
  it('is told in the log once it has been so for a while, and again when it ran meanwhile', async () => {
    const kept = new Kept();
    const prefix = bench.prefix();
    const lease = '500ms';
    const elsewhere = await bench.start(
      bench.builder({ imports: [features], providers: [Handlers] }, { prefix, lease, handlers: { groups: ['statistics'] } }),
    );
    const app = await bench.start(bench.builder({ imports: [features], providers: [Handlers] }, { prefix, lease, handlers: 'none' }), kept);
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
    // Both processes tell: a logger is that of all applications of a process.
    const told = (): string[] => [...new Set(kept.entries.flatMap((line) => /warn (.*) has handlers in this application/.exec(line)?.[1] ?? []))];
    await waitFor(() => told().length >= 3, { what: 'three warnings' });
    const first = [
      "Group 'inventory' of topic 'shop.orders.cancelled'", "Group 'inventory' of topic 'shop.orders.placed'", "Queue 'emails'",
    ];
    expect(told().sort()).toEqual(first);
    await elsewhere.close();
    await waitFor(() => told().length >= 4, { what: 'the group that ran to be missed' });
    expect(told()[3]).toBe("Group 'statistics' of topic 'shop.orders.placed'");
    expect(kept.entries.filter((line) => line.startsWith('error '))).toEqual([]);
  });
});

describe('a Redis that goes away', () => {
  it('is told in one line and its return in another, whatever the number of connections', async () => {
    const redis = await startTestRedis();
    const kept = new Kept();
    try {
      const builder = bench.builder({ imports: [features], providers: [Handlers] }, { redis: redis.url });
      const app = await bench.start(builder, kept);
      await redis.kill();
      await waitFor(() => kept.entries.some((line) => line.includes('there is no connection')), { what: 'the outage to be told' });
      await redis.restart();
      await waitFor(() => kept.entries.some((line) => line.includes('Redis is back')), { what: 'the return to be told' });
      await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
      await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
      await app.close();
      const lines = kept.entries.filter((line) => /connection|Redis (does|is)/.test(line));
      expect(lines).toEqual([expect.stringContaining('there is no connection'), expect.stringContaining('Redis is back after')]);
    } finally {
      await redis.stop();
    }
  });
});

it('warns of topics and groups that ask for more replicas than Redis has', async () => {
  @Topic('shop.orders.copied', { durability: replicated(2) })
  class OrderCopied {
    @IsString() orderId!: string;
  }

  @Injectable()
  class Copying {
    @Subscribe(OrderCopied, { group: 'copies', durability: replicated(1) })
    copy(): void {
      // Nothing to do.
    }
  }
  const kept = new Kept();
  await bench.start(bench.builder({ providers: [Copying] }), kept);
  expect(kept.entries.filter((line) => line.includes('asks for'))).toEqual([
    expect.stringMatching(/^warn Topic 'shop\.orders\.copied' asks for 2 replicas, and Redis has a server without a replica: its publishes/),
    expect.stringMatching(/^warn Group 'copies' of topic 'shop\.orders\.copied' asks for 1 replica, and Redis has a server without a replica: none/),
  ]);
});
