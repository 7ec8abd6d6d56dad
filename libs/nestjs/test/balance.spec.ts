import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Balancer, type CallOptions, type ConfiguredClient, MillraceModule, type MillraceOptions, RpcContract, RpcService,
  ServiceInstances, startWorker,
} from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { IsOptional, IsString } from 'class-validator';
import { Bench, failureOf } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

class Ask {
  @IsOptional() @IsString() item?: string;
}

class Told {
  @IsString() by!: string;
}

@RpcContract<PricesApi>('prices', { ask: { input: Ask, output: Told, timeout: '30s', idempotent: true }, note: {} })
abstract class PricesApi {
  abstract ask(request: Ask, options?: CallOptions): Promise<Told>;
  abstract note(request?: undefined, options?: CallOptions): Promise<void>;
}

@RpcContract<OtherApi>('other', { note: {} })
abstract class OtherApi {
  abstract note(): Promise<void>;
}

type Options = Omit<ConfiguredClient, 'contract'>;

/** A class that serves the contract, by this name. */
function serviceBy(by: string, options: Parameters<typeof RpcService>[1] = {}) {
  @Injectable()
  @RpcService(PricesApi, options)
  class Prices {
    ask(): Promise<Told> {
      return Promise.resolve({ by });
    }

    note(): Promise<void> {
      return Promise.resolve();
    }
  }
  return Prices;
}

@Injectable()
class Shop {
  constructor(readonly prices: PricesApi) {}
}

type Settings = Pick<MillraceOptions, 'tags'>;

class Town {
  readonly prefix = bench.prefix();

  async serve(by: string, options: Parameters<typeof RpcService>[1] = {}, settings: Settings = {}) {
    return bench.app({ providers: [serviceBy(by, options)] }, { prefix: this.prefix, ...settings });
  }

  async shop(options: Options) {
    const imports = [MillraceModule.forFeature([{ contract: PricesApi, ...options }])];
    return bench.app({ imports, providers: [Shop] }, { prefix: this.prefix });
  }
}

const countsOf = (answers: readonly Told[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { by } of answers) counts[by] = (counts[by] ?? 0) + 1;
  return counts;
};

describe('a client with options', () => {
  it('chooses instances by their weights, and by the instance of a call', async () => {
    const town = new Town();
    await town.serve('light', { weight: 100 });
    await town.serve('heavy', { weight: 300 });
    const app = await town.shop({ balance: 'round-robin' });
    const { prices } = app.get(Shop, { strict: false });
    const { light = 0, heavy = 0 } = countsOf(await Promise.all(Array.from({ length: 80 }, () => prices.ask({}))));
    expect(light + heavy).toBe(80);
    expect(Math.abs(light - 20)).toBeLessThanOrEqual(1);
    const [one] = await app.get(ServiceInstances, { strict: false }).of('prices');
    const answers = await Promise.all(Array.from({ length: 10 }, () => prices.ask({}, { instance: one!.member })));
    expect(Object.values(countsOf(answers))).toEqual([10]);
  });

  it('is routed by the tags of a service and of its process, which instances have beside metadata', async () => {
    const town = new Town();
    await town.serve('canary', { tags: ['eu'], metadata: { build: '7' } }, { tags: ['canary', 'eu'] });
    await town.serve('plain');
    const app = await town.shop({ routes: [{ tag: 'canary', share: 1 }, { share: 1 }], key: ({ item }: Ask) => item });
    const { prices } = app.get(Shop, { strict: false });
    const items = Array.from({ length: 40 }, (_, index) => `item-${index}`);
    const ways = async (): Promise<string[]> => Promise.all(items.map(async (item) => (await prices.ask({ item })).by));
    const first = await ways();
    expect(new Set(first)).toEqual(new Set(['canary', 'plain']));
    expect(await ways()).toEqual(first);
    const instances = await app.get(ServiceInstances, { strict: false }).list();
    expect(instances.map(({ tags, metadata }) => [tags, [...metadata]])).toEqual(
      expect.arrayContaining([[['eu', 'canary'], [['build', '7']]], [[], []]]),
    );
  });

  it('shows its circuits, and rejects calls while they are open', async () => {
    const app = await new Town().shop({ circuit: { calls: 2, minimumCalls: 2, openFor: '1h' } });
    const { prices } = app.get(Shop, { strict: false });
    for (let turn = 0; turn < 2; turn += 1) expect(await failureOf(prices.ask({}))).toMatchObject({ code: 'NO_INSTANCE' });
    expect(await failureOf(prices.ask({}))).toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(app.get(Balancer, { strict: false }).circuits()).toEqual([
      { service: 'prices', version: '1', instance: null, state: 'open', retryAtMs: expect.any(Number) },
    ]);
  });

  it('stands beside clients without options', async () => {
    const town = new Town();
    await town.serve('a');
    const imports = [MillraceModule.forFeature([{ contract: PricesApi, balance: 'key' }, OtherApi])];
    const app = await bench.app({ imports, providers: [Shop] }, { prefix: town.prefix });
    expect(await app.get(Shop, { strict: false }).prices.ask({}, { key: 'x' })).toEqual({ by: 'a' });
    expect(await failureOf(app.get(OtherApi, { strict: false }).note())).toMatchObject({ code: 'NO_INSTANCE' });
  });
});

describe('two modules with a client of the same service', () => {
  @Module({ imports: [MillraceModule.forFeature([{ contract: PricesApi, tag: 'nowhere', strict: true }])], providers: [Shop] })
  class Strict {}

  @Module({ imports: [MillraceModule.forFeature([{ contract: PricesApi, maxInFlight: 1 }])], providers: [Shop] })
  class Limited {}

  it.each(['reference', 'deep-hash'] as const)('have each their own options, also where modules are told apart by %s', async (algorithm) => {
    const root = { module: class Root {}, imports: [bench.module(), Strict, Limited] };
    const app = await NestFactory.createApplicationContext(root, { moduleIdGeneratorAlgorithm: algorithm, logger: false });
    const failures = [Strict, Limited].map((module) => failureOf(app.select(module).get(Shop, { strict: true }).prices.ask({})));
    const [strict, limited] = await Promise.all(failures);
    await app.close();
    expect(strict!.message).toContain("with tag 'nowhere'");
    expect(limited!.message).not.toContain('nowhere');
  });
});

describe('a start is refused', () => {
  const start = (...entries: unknown[]) => failureOf(bench.app({ imports: [MillraceModule.forFeature(entries as never)] }));

  it('with every problem of every client of a module', async () => {
    const failure = await start({ contract: PricesApi, balnce: 'key', maxInFlight: 0 }, { contract: OtherApi, strict: true });
    expect(failure).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(failure.problems).toEqual([
      "MillraceModule.forFeature: the client of PricesApi: option 'balnce' is not known: did you mean 'balance'?",
      'MillraceModule.forFeature: the client of PricesApi: maxInFlight must not be less than 1',
      'MillraceModule.forFeature: the client of OtherApi: strict is for tag or routes alone',
    ]);
  });

  it('with a client that is given twice, and with a contract that is none', async () => {
    expect(await start(PricesApi, { contract: PricesApi, balance: 'key' })).toMatchObject({
      code: 'INVALID_OPTIONS', message: expect.stringContaining('the client of PricesApi is given twice'),
    });
    expect(await start({ contract: Ask, balance: 'key' })).toMatchObject({ code: 'NOT_A_TOPIC', message: expect.stringContaining('Ask is neither a topic nor') });
  });

  it('with two clients of one service in one module, unless neither has options', async () => {
    const imported = (client: unknown) => MillraceModule.forFeature([client] as never);
    const app = (...clients: unknown[]) => bench.app({ imports: clients.map(imported) });
    const failure = await failureOf(app({ contract: PricesApi, balance: 'key', key: () => 'a' }, PricesApi, OtherApi));
    expect(failure).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('the client of PricesApi is given twice to') });
    expect(failure.message).toContain('with all its options');
    await expect(app(PricesApi, PricesApi)).resolves.toBeDefined();
  });

  it('with tags, weights and metadata that no instance can have', async () => {
    const wrong = { weight: 0, tags: ['a b'], metadata: { a: 1 } } as never;
    const failure = await failureOf(new Town().serve('a', wrong));
    expect(failure).toMatchObject({ code: 'INVALID_OPTIONS' });
    const text = failure.problems.join('\n');
    for (const problem of ['weight must not be less than 1', 'tags must be a list of up to 32 tags', 'metadata must be an object']) {
      expect(text).toContain(problem);
    }
    expect(await failureOf(new Town().serve('a', {}, { tags: ['a b'] }))).toMatchObject({ code: 'INVALID_OPTIONS' });
  });
});

describe('a worker', () => {
  it('has the tags of its options, else of the environment', async () => {
    const prefix = bench.prefix();
    const options = { health: false, logger: false } as const;
    process.env.MILLRACE_TAGS = 'canary, eu';
    const module = (by: string) => ({ module: class Root {}, imports: [bench.module({ prefix })], providers: [serviceBy(by)] });
    const workers = [await startWorker(module('a'), options), await startWorker(module('b'), { ...options, tags: ['blue'] })];
    delete process.env.MILLRACE_TAGS;
    const observer = await bench.app({}, { prefix });
    await waitFor(async () => {
      const tags = (await observer.get(ServiceInstances, { strict: false }).list()).map((instance) => instance.tags.join(','));
      expect(tags.sort()).toEqual(['blue', 'canary,eu']);
      return true;
    }, { what: 'the tags of both' });
    await Promise.all(workers.map((worker) => worker.stop()));
  });
});
