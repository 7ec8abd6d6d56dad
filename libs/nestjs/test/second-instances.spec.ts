import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type DynamicModule, Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { JobHandler, MillraceModule, Publisher, Subscribe, SubscribeBroadcast } from '@millrace/nestjs';
import { Bench, Journal, OrderPlaced, SendConfirmation } from './fixture.js';
import { Kept } from './kept.js';

let bench: Bench;
const journal = new Journal();
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

@Injectable()
class Name {
  constructor(readonly text: string) {}
}

@Injectable()
class Cache {
  constructor(private readonly name: Name) {}

  @SubscribeBroadcast(OrderPlaced)
  forget(): void {
    journal.add(`${this.name.text} forgets`);
  }
}

@Injectable()
class Shop {
  constructor(private readonly name: Name) {}

  @Subscribe(OrderPlaced, { group: 'shop' })
  handle(): void {
    journal.add(`${this.name.text} handles`);
  }

  @JobHandler(SendConfirmation)
  send(): void {
    journal.add(`${this.name.text} sends`);
  }
}

@Module({})
class Tenant {
  static of(text: string): DynamicModule {
    return { module: Tenant, providers: [{ provide: Name, useValue: new Name(text) }, Cache, Shop], exports: [Cache] };
  }
}

async function warningsOf(metadata: ModuleMetadata): Promise<string[]> {
  const kept = new Kept();
  const app = await bench.start(bench.builder({ imports: [MillraceModule.forFeature([OrderPlaced])], ...metadata }), kept);
  await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
  return kept.entries.filter((line) => line.startsWith('warn '));
}

describe('a class that is provided by two dynamic modules', () => {
  it('has each instance called for broadcasts and one for its groups and queues, which is said at boot', async () => {
    const warnings = await warningsOf({ imports: [Tenant.of('a'), Tenant.of('b')] });
    expect((await journal.has(3)).sort()).toEqual(['a forgets', 'a handles', 'b forgets']);
    expect(warnings).toEqual([
      'warn Shop is provided 2 times, by Tenant and Tenant, so there are 2 instances of it; messages and jobs are given to that of Tenant ' +
        'alone. Provide it in one module that exports it and import that module, or make a class with a group of its own for each.',
    ]);
  });

  it('is nothing to speak of when it is one instance under two tokens', async () => {
    const name = { provide: Name, useValue: new Name('one') };
    const other = { provide: 'other', useFactory: (shop: Shop) => shop, inject: [Shop] };
    expect(await warningsOf({ providers: [name, Shop, other] })).toEqual([]);
  });
});
