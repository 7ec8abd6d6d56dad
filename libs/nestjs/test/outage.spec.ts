import { afterEach, describe, expect, it } from '@jest/globals';
import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Inspector, JobHandler, MillraceModule, Publisher, Subscribe, SubscribeBroadcast } from '@millrace/nestjs';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { Journal, OrderCancelled, OrderPlaced, SendConfirmation } from './fixture.js';

let redis: TestRedis;
afterEach(() => redis.stop());

@Injectable()
class Handlers {
  readonly seen = new Journal();

  @Subscribe(OrderPlaced, { group: 'inventory' })
  placed(): void {
    this.seen.add('placed');
  }

  @SubscribeBroadcast(OrderCancelled)
  cancelled(): void {
    this.seen.add('cancelled');
  }

  @JobHandler(SendConfirmation)
  send(): void {
    this.seen.add('sent');
  }
}

async function application(): Promise<INestApplicationContext> {
  redis = await startTestRedis();
  // So long that the test would end first, if anything waited for it.
  const millrace = MillraceModule.forRoot({ redis: redis.url, shutdownTimeout: '1h' });
  const imports = [millrace, MillraceModule.forFeature([SendConfirmation])];
  const app = await Test.createTestingModule({ imports, providers: [Handlers] }).compile();
  app.useLogger(false);
  await app.init();
  await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
  const handled = async (): Promise<boolean> => (await app.get(Inspector).group(OrderPlaced, 'inventory')).handled === 1;
  await waitFor(handled, { what: 'nothing to be in hand' });
  return app;
}

describe('an application that is closed while Redis is away', () => {
  it.each(['killed', 'silent'])('does not use up the time that handlers may take, when none is at work: %s', async (how) => {
    const app = await application();
    if (how === 'killed') await redis.kill();
    else redis.pause();
    await app.close().finally(() => (how === 'killed' ? undefined : redis.resume()));
    expect(app.get(Handlers).seen.entries).toEqual(['placed']);
  });
});
