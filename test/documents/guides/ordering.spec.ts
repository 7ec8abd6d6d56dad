import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Inspector, isMillraceError, MillraceModule } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { Surroundings } from '../surroundings.js';

interface Examples {
  'parcels.ts': { ParcelMoved: Type<object> };
  'tracking.ts': {
    Depot: Type<{ send(parcel: string, places: string[]): Promise<void> }>;
    Tracking: Type<{ places: Map<string, string[]> }>;
  };
  'search.ts': { Search: Type<{ batches: string[][] }> };
  'board.ts': { Board: Type };
  'operator.ts': { Operator: Type<{ release(parcel: string): Promise<void>; waiting(): Promise<number> }> };
}

let around: Surroundings;
let app: INestApplicationContext;
let example: Examples;
const printed: string[] = [];

beforeAll(async () => {
  around = await Surroundings.of('docs/guides/ordering.md');
  Object.assign(process.env, around.env);
  jest.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
  example = {
    'parcels.ts': await around.examples.load('parcels.ts'),
    'tracking.ts': await around.examples.load('tracking.ts'),
    'search.ts': await around.examples.load('search.ts'),
    'board.ts': await around.examples.load('board.ts'),
    'operator.ts': await around.examples.load('operator.ts'),
  };
  app = await started();
}, 120_000);

afterAll(async () => {
  await app.close();
  await around.stop();
});

async function started(): Promise<INestApplicationContext> {
  const { Depot, Tracking } = example['tracking.ts'];
  const imports = [MillraceModule.forRoot(), MillraceModule.forFeature([example['parcels.ts'].ParcelMoved])];
  const { Operator } = example['operator.ts'];
  const providers = [Depot, Tracking, example['search.ts'].Search, example['board.ts'].Board, Operator];
  const made = await Test.createTestingModule({ imports, providers }).compile();
  made.useLogger(false);
  return made.init();
}

const depot = () => app.get(example['tracking.ts'].Depot);
const placesOf = (parcel: string) => app.get(example['tracking.ts'].Tracking).places.get(parcel);
const boardOf = (parcel: string) => printed.filter((line) => line.startsWith(`board: ${parcel} `));

describe('the parcels of the guide', () => {
  it('are where they were sent, in their order, though one waits at the customs', async () => {
    await Promise.all([depot().send('A', ['quay', 'customs', 'town']), depot().send('B', ['quay', 'sea', 'town'])]);
    await waitFor(() => placesOf('A')?.length === 3 && placesOf('B')?.length === 2, { what: 'the parcels to arrive' });
    expect([placesOf('A'), placesOf('B')]).toEqual([['quay', 'customs', 'town'], ['quay', 'town']]);
    const deadLetters = await app.get(Inspector).deadLetters(example['parcels.ts'].ParcelMoved, 'tracking');
    expect(deadLetters).toMatchObject([{ reason: 'DEAD_LETTERED_BY_HANDLER' }]);
  });

  it('are noted in the order of each partition', async () => {
    const lines = (): string[] => printed.filter((line) => line.startsWith('journal'));
    await waitFor(() => lines().length === 6, { what: 'the journal' });
    for (const partition of [0, 1, 2, 3]) {
      const offsets = lines().filter((line) => line.startsWith(`journal ${partition}:`)).map((line) => Number(line.split(' ')[2]));
      expect(offsets).toEqual(offsets.map((_, index) => index));
    }
  });

  it('are once in a batch at the most', async () => {
    const { batches } = app.get(example['search.ts'].Search);
    await waitFor(() => batches.flat().length === 6, { what: 'the index' });
    for (const batch of batches) expect(new Set(batch).size).toBe(batch.length);
  });

  it('wait for no operator, who is told so', async () => {
    const operator = app.get(example['operator.ts'].Operator);
    expect(await operator.waiting()).toBe(0);
    const error: unknown = await operator.release('A').catch((thrown: unknown) => thrown);
    expect(isMillraceError(error) && error.code).toBe('KEY_NOT_PARKED');
  });

  it('are on a board that is written down, and read again by the next process', async () => {
    await waitFor(() => boardOf('A').length === 3, { what: 'the board' });
    expect(boardOf('A')).toEqual(['board: A from nowhere to quay', 'board: A from quay to customs', 'board: A from customs to town']);
    await app.close();
    expect(printed.filter((line) => line.endsWith(' goes'))).toHaveLength(4);
    app = await started();
    await depot().send('A', ['home']);
    await waitFor(() => boardOf('A').length === 4, { what: 'the last move' });
    expect(boardOf('A')[3]).toBe('board: A from town to home');
  });

  it('leave nothing of the examples that was not run', () => {
    expect(around.examples.notRun()).toEqual([]);
  });
});
