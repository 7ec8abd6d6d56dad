import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, type Type } from '@nestjs/common';
import { topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { type DeliveryContext, Inspector, Publisher, Subscribe, SubscribeBatch, type SubscribeOptions, Topic } from '@millrace/nestjs';
import { IsInt, IsString } from 'class-validator';
import { atOnce, Bench, failureOf, OrderPlaced } from './fixture.js';
import { Kept } from './kept.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

@Topic<Moved>('parcels.moved', { key: ({ parcel }) => parcel, partitions: 2 })
class Moved {
  @IsString() parcel!: string;
  @IsInt() step!: number;
}

const moves = (parcels: number, steps: number): { payload: Moved }[] =>
  Array.from({ length: parcels * steps }, (_, index) => {
    return { payload: { parcel: `p${index % parcels}`, step: Math.floor(index / parcels) } };
  });

function subscriber(options: SubscribeOptions): Type {
  class Handler {
    @Subscribe(OrderPlaced, options)
    handle(): void {
      throw new Error('not to be called');
    }
  }
  return Handler;
}

describe('ordering', () => {
  it('handles the messages of a key one after the other, also when one is tried again', async () => {
    const seen = new Map<string, number[]>();
    @Injectable()
    class Tracker {
      @Subscribe(Moved, { group: 'tracker', ordering: 'key', onExhausted: 'dead-letter', retry: atOnce })
      track({ parcel, step }: Moved, { attempt }: DeliveryContext): void {
        seen.set(parcel, [...(seen.get(parcel) ?? []), step]);
        if (parcel === 'p0' && step === 1 && attempt < 3) throw new Error('not yet');
      }
    }
    const app = await bench.app({ providers: [Tracker] });
    await app.get(Publisher).publishMany(Moved, moves(3, 4));
    const state = (): Promise<{ handled: number }> => app.get(Inspector).group(topicOf(Moved), 'tracker');
    await waitFor(async () => (await state()).handled === 12, { what: 'all moves to be handled' });
    expect([seen.get('p0'), seen.get('p1'), seen.get('p2')]).toEqual([[0, 1, 1, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]]);
  });

  it('puts at most one message of each key into a batch', async () => {
    const batches: string[][] = [];
    @Injectable()
    class Index {
      @SubscribeBatch(Moved, { group: 'index', ordering: 'key', batch: { size: 10, wait: '20ms' } })
      write(batch: Moved[]): void {
        batches.push(batch.map(({ parcel }) => parcel));
      }
    }
    const app = await bench.app({ providers: [Index] });
    await app.get(Publisher).publishMany(Moved, moves(3, 4));
    await waitFor(() => batches.flat().length === 12, { what: 'all batches' });
    for (const batch of batches) expect(new Set(batch).size).toBe(batch.length);
  });

  it('is refused in any other word, and onExhausted without it, saying what to do', async () => {
    const word = await failureOf(bench.app({ providers: [subscriber({ group: 'g', ordering: 'keys' as never })] }));
    expect([word.code, word.problems]).toEqual(['INVALID_OPTIONS', [expect.stringContaining("did you mean 'key'?")]]);
    const alone = await failureOf(bench.app({ providers: [subscriber({ group: 'g', onExhausted: 'park' })] }));
    expect(alone.code).toBe('INVALID_OPTIONS');
    expect(alone.message).toContain('@Subscribe on Handler.handle()');
    expect(alone.problems).toEqual([expect.stringContaining("add ordering: 'key' or ordering: 'partition', or leave onExhausted out")]);
    const park = await failureOf(bench.app({ providers: [subscriber({ group: 'g', ordering: 'partition', onExhausted: 'park' })] }));
    expect(park.problems).toEqual([expect.stringContaining("use 'stop', or order by key")]);
    const way = await failureOf(bench.app({ providers: [subscriber({ group: 'g', ordering: 'key', onExhausted: 'parc' as never })] }));
    expect(way.problems).toEqual([expect.stringContaining("did you mean 'park'?")]);
  });

  it('by key warns of a topic without a key, and does so by key alone', async () => {
    const kept = new Kept();
    const warnings = (): string[] => kept.entries.filter((line) => line.startsWith('warn '));
    await bench.start(bench.builder({ providers: [subscriber({ group: 'g', ordering: 'partition' })] }), kept);
    expect(warnings()).toEqual([]);
    await bench.start(bench.builder({ providers: [subscriber({ group: 'g', ordering: 'key' })] }), kept);
    expect(warnings()).toEqual([
      expect.stringContaining("warn Handler.handle() is ordered by key, but topic 'shop.orders.placed' has no key, so group 'g' dead-letters"),
    ]);
  });
});
