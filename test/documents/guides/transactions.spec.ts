import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { MillraceModule, Publisher } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { Surroundings } from '../surroundings.js';

interface Examples {
  'seats.ts': {
    SeatBooked: Type<{ seat: string; booking: string }>;
    Bookings: Type<{ insertOnce(booking: string, state: 'booked' | 'never'): string }>;
  };
  'booking.ts': { BookingDesk: Type<{ asked: string[]; book(seat: string, booking: string): Promise<void> }> };
  'operator.ts': { Operator: Type<{ waiting(): Promise<number>; drop(): Promise<void> }> };
}

let around: Surroundings;
let app: INestApplicationContext;
let example: Examples;

beforeAll(async () => {
  around = await Surroundings.of('docs/guides/transactions.md');
  Object.assign(process.env, around.env);
  example = {
    'seats.ts': await around.examples.load('seats.ts'),
    'booking.ts': await around.examples.load('booking.ts'),
    'operator.ts': await around.examples.load('operator.ts'),
  };
  const imports = [MillraceModule.forRoot(), MillraceModule.forFeature([example['seats.ts'].SeatBooked])];
  const providers = [example['seats.ts'].Bookings, example['booking.ts'].BookingDesk, example['operator.ts'].Operator];
  const made = await Test.createTestingModule({ imports, providers }).compile();
  made.useLogger(false);
  app = await made.init();
}, 120_000);

afterAll(async () => {
  await app.close();
  await around.stop();
});

const bookings = () => app.get(example['seats.ts'].Bookings);
const operator = () => app.get(example['operator.ts'].Operator);

describe('the bookings of the guide', () => {
  it('are published when they are there, and dropped when they never will be', async () => {
    const desk = app.get(example['booking.ts'].BookingDesk);
    await desk.book('1A', 'first');
    bookings().insertOnce('late', 'never');
    await desk.book('1B', 'late');
    expect(await operator().waiting()).toBe(0);
    expect(desk.asked).toEqual([]);
  });

  it('are asked about when nobody has decided', async () => {
    const { SeatBooked } = example['seats.ts'];
    await app.get(Publisher).publishHalf(SeatBooked, { seat: '2A', booking: 'lost' }, { checkAfter: '1s' });
    await waitFor(async () => (await operator().waiting()) === 0, { what: 'the check' });
    expect(app.get(example['booking.ts'].BookingDesk).asked).toEqual(['lost 1']);
    expect(bookings().insertOnce('lost', 'booked')).toBe('never');
    await operator().drop();
  });
});

it('the examples of the guide have run', () => {
  expect(around.examples.notRun()).toEqual([]);
});
