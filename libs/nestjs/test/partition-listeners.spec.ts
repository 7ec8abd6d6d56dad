import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Scope } from '@nestjs/common';
import { type AssignedPartition, OnAssigned, OnRevoked, Publisher, type RevokedPartition, Subscribe, Topic } from '@millrace/nestjs';
import { IsString } from 'class-validator';
import { Bench, failureOf, Journal, OrderPlaced } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

@Topic<Read>('meters.read', { key: ({ meter }) => meter, partitions: 2 })
class Read {
  @IsString() meter!: string;
}

const GROUP = { group: 'meters' };

describe('@OnAssigned and @OnRevoked', () => {
  it('hear of each partition before its first message, and after its last, on the instance that handles', async () => {
    const journal = new Journal<{ what: string; of: Partial<RevokedPartition> }>();
    @Injectable()
    class Meters {
      readonly #loaded = new Set<number>();

      @OnAssigned(Read, GROUP)
      async load(of: AssignedPartition): Promise<void> {
        await new Promise((resolve) => setImmediate(resolve));
        this.#loaded.add(of.partition);
        journal.add({ what: 'assigned', of });
      }

      @Subscribe(Read, { ...GROUP, ordering: 'key' })
      read(_: Read, { partition }: { partition: number }): void {
        journal.add({ what: `handled ${this.#loaded.has(partition)}`, of: { partition } });
      }

      @OnRevoked(Read, GROUP)
      async save(of: RevokedPartition): Promise<void> {
        await new Promise((resolve) => setImmediate(resolve));
        this.#loaded.delete(of.partition);
        journal.add({ what: 'revoked', of });
      }
    }
    const app = await bench.app({ providers: [Meters] });
    await app.get(Publisher).publishMany(Read, Array.from({ length: 8 }, (_, index) => ({ payload: { meter: `m${index}` } })));
    await journal.has(10);
    await bench.closeApps();
    const place = { topic: 'meters.read', group: 'meters', epoch: expect.any(Number) };
    for (const partition of [0, 1]) {
      const own = journal.entries.filter(({ of }) => of.partition === partition);
      expect(own[0]).toEqual({ what: 'assigned', of: { ...place, partition } });
      expect(own.at(-1)).toEqual({ what: 'revoked', of: { ...place, partition, lost: false } });
      for (const { what } of own.slice(1, -1)) expect(what).toBe('handled true');
    }
  });

  it('are refused for a group that is not here or has no order, twice, and where there is no single instance', async () => {
    class Listener {
      @OnAssigned(OrderPlaced, { group: 'g' })
      on(): void {
        throw new Error('not to be called');
      }
    }
    class Plain {
      @Subscribe(OrderPlaced, { group: 'g' })
      handle(): void {
        throw new Error('not to be called');
      }
    }
    class Ordered {
      @Subscribe(OrderPlaced, { group: 'g', ordering: 'partition' })
      handle(): void {
        throw new Error('not to be called');
      }
    }
    class Second extends Listener {}
    @Injectable({ scope: Scope.REQUEST })
    class Scoped extends Listener {}
    const unknown = await failureOf(bench.app({ providers: [Listener] }));
    expect([unknown.code, unknown.message]).toEqual(['UNKNOWN_GROUP', expect.stringContaining('@OnAssigned on Listener.on(): this application')]);
    const plain = await failureOf(bench.app({ providers: [Listener, Plain] }));
    expect([plain.code, plain.message]).toEqual(['INVALID_OPTIONS', expect.stringContaining("Add ordering: 'key' to Plain.handle()")]);
    const twice = await failureOf(bench.app({ providers: [Listener, Second, Ordered] }));
    expect([twice.code, twice.message]).toEqual(['DUPLICATE_SUBSCRIPTION', expect.stringContaining('Listener.on() and Second.on()')]);
    const scoped = await failureOf(bench.app({ providers: [Scoped, Ordered] }));
    expect([scoped.code, scoped.message]).toEqual(['INVALID_OPTIONS', expect.stringContaining('its class has no single instance')]);
  });
});
