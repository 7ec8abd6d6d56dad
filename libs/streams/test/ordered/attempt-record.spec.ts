import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type AttemptRecord, attemptRecordOf, attemptText } from '../../src/ordered/attempt-record.js';
import { keyed } from './keyed-deliveries.js';

const moment = fc.nat({ max: 2 ** 48 });
const records: fc.Arbitrary<AttemptRecord> = fc.record({
  attempt: fc.integer({ min: 1, max: 10 ** 6 }),
  crashes: fc.nat(),
  firstFailedAt: fc.option(moment),
  begunIn: fc.nat(),
  dueAtMs: moment,
  delayMs: fc.nat(),
});

it('a record of attempts is read as it was written', () => {
  fc.assert(fc.property(records, ({ begunIn, dueAtMs, delayMs, ...history }) => {
    const text = attemptText(keyed('a', 0, history), { begunIn, dueAtMs, delayMs });
    expect(attemptRecordOf(text)).toEqual({ begunIn, dueAtMs, delayMs, ...history });
  }));
});

it.each(['', '1', '0 0 - 0 0 0', '1 0 - x 0 0', '1 -1 - 0 0 0', '1 0 x 0 0 0', '1 0 - 0 0 0 0', ' 1 0 - 0 0 0'])('a damaged record is none: %j', (text) => {
  expect(attemptRecordOf(text)).toBeNull();
});
