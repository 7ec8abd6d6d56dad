import { describe, expect, it } from '@jest/globals';
import {
  backoffDelayMs, custom, DeadLetter, Discard, type Duration, exponential, fixed, isBackoff, isCurveBackoff, listen,
  MillraceError, outcomeOfFailure, RetryLater, type RetryPolicy, UnreadablePayloadError,
} from '@millrace/core';
import fc from 'fast-check';

class UnknownItem extends Error {}
class VeryUnknownItem extends UnknownItem {}

const policy: RetryPolicy = { attempts: 3, backoff: fixed('10s'), deadLetterOn: [UnknownItem] };

const RETRY = { kind: 'retry', delayMs: 10_000 };
const dead = (reason: string): object => ({ kind: 'dead-letter', reason });

describe('the outcome of a failed attempt', () => {
  it.each([
    ['an error', new Error('x'), 1, RETRY],
    ['an error at the last attempt but one', new Error('x'), 2, RETRY],
    ['an error at the last attempt', new Error('x'), 3, dead('ATTEMPTS_EXHAUSTED')],
    ['an error beyond the last attempt', new Error('x'), 4, dead('ATTEMPTS_EXHAUSTED')],
    ['text', 'x', 1, RETRY],
    ['undefined', undefined, 1, RETRY],
    ['null', null, 3, dead('ATTEMPTS_EXHAUSTED')],
    ['Discard', new Discard(), 1, { kind: 'ack', discarded: true }],
    ['Discard at the last attempt', new Discard(), 3, { kind: 'ack', discarded: true }],
    ['DeadLetter', new DeadLetter('no'), 1, dead('DEAD_LETTERED_BY_HANDLER')],
    ['DeadLetter at the last attempt', new DeadLetter('no'), 3, dead('DEAD_LETTERED_BY_HANDLER')],
    ['a listed class', new UnknownItem(), 1, dead('DEAD_LETTER_ON')],
    ['a subclass of a listed class', new VeryUnknownItem(), 1, dead('DEAD_LETTER_ON')],
    ['a listed class at the last attempt', new UnknownItem(), 3, dead('DEAD_LETTER_ON')],
    ['RetryLater', new RetryLater('7m'), 1, { kind: 'retry', delayMs: 420_000 }],
    ['RetryLater at once', new RetryLater('0ms'), 2, { kind: 'retry', delayMs: 0 }],
    ['RetryLater at the last attempt', new RetryLater('7m'), 3, dead('ATTEMPTS_EXHAUSTED')],
    ['a payload that cannot be read', new UnreadablePayloadError('x'), 1, dead('INVALID_PAYLOAD')],
    ['a malformed envelope', new MillraceError('MALFORMED_ENVELOPE', 'x'), 1, dead('MALFORMED_ENVELOPE')],
    ['a newer version', new MillraceError('UNSUPPORTED_VERSION', 'x'), 1, dead('UNSUPPORTED_VERSION')],
    ['the invalid payload of something that the handler publishes', new MillraceError('INVALID_PAYLOAD', 'x'), 1, RETRY],
    ['another of our errors', new MillraceError('REDIS_UNREACHABLE', 'x'), 1, RETRY],
  ])('%s', (_, thrown, attempt, expected) => {
    const outcome = outcomeOfFailure(policy, attempt, thrown);
    expect(outcome).toMatchObject(expected);
    expect('error' in outcome).toBe(outcome.kind !== 'ack');
  });

  it('keeps the error that led to it', () => {
    const outcome = outcomeOfFailure(policy, 1, Object.assign(new TypeError('no such item'), { code: 'E1' }));
    expect(outcome).toMatchObject({ error: { name: 'TypeError', message: 'no such item', code: 'E1', stack: expect.stringContaining('retry.spec') } });
  });

  it('does not ask an arrow function for its instances', () => {
    const careless = { ...policy, deadLetterOn: [(() => 1) as never, null as never, UnknownItem] };
    expect(outcomeOfFailure(careless, 1, new Error('x'))).toMatchObject(RETRY);
    expect(outcomeOfFailure(careless, 1, new UnknownItem())).toMatchObject(dead('DEAD_LETTER_ON'));
  });

  it('is one attempt, and no more, for a policy of one', () => {
    expect(outcomeOfFailure({ ...policy, attempts: 1 }, 1, new Error('x'))).toMatchObject(dead('ATTEMPTS_EXHAUSTED'));
  });
});

describe('rules for some errors', () => {
  class RateLimited extends Error {}
  class VeryRateLimited extends RateLimited {}
  const withRules: RetryPolicy = {
    ...policy,
    discardOn: [UnknownItem, TypeError],
    on: [{ error: VeryRateLimited, backoff: fixed('2m') }, { error: RateLimited, attempts: 20, backoff: fixed('1m') }, { error: RangeError, attempts: 1 }],
  };

  it.each([
    ['the first that fits, its back-off', new VeryRateLimited(), 1, { kind: 'retry', delayMs: 120_000 }],
    ['the first that fits, the attempts of the policy', new VeryRateLimited(), 3, dead('ATTEMPTS_EXHAUSTED')],
    ['another', new RateLimited(), 19, { kind: 'retry', delayMs: 60_000 }],
    ['another, at its last attempt', new RateLimited(), 20, dead('ATTEMPTS_EXHAUSTED')],
    ['fewer attempts', new RangeError(), 1, dead('ATTEMPTS_EXHAUSTED')],
    ['none that fits', new Error(), 2, RETRY],
    ['RetryLater is no error of a rule', new RetryLater('7m'), 1, { kind: 'retry', delayMs: 420_000 }],
    ['discardOn', new TypeError(), 1, { kind: 'ack', discarded: true }],
    ['discardOn at the last attempt', new TypeError(), 3, { kind: 'ack', discarded: true }],
    ['deadLetterOn goes before discardOn', new UnknownItem(), 1, dead('DEAD_LETTER_ON')],
  ])('%s', (_, thrown, attempt, expected) => {
    expect(outcomeOfFailure(withRules, attempt, thrown)).toMatchObject(expected);
  });

  it('do not discard what cannot be read', () => {
    const careless = { ...policy, discardOn: [Error] };
    expect(outcomeOfFailure(careless, 1, new UnreadablePayloadError('x'))).toMatchObject(dead('INVALID_PAYLOAD'));
    expect(outcomeOfFailure(careless, 1, new DeadLetter('x'))).toMatchObject(dead('DEAD_LETTERED_BY_HANDLER'));
  });
});

describe('a custom back-off', () => {
  it('is asked with the failures and the error', () => {
    const asked: unknown[] = [];
    const backoff = custom((failures, error) => {
      asked.push([failures, error.message]);
      return `${failures * 3}s`;
    });
    expect(outcomeOfFailure({ ...policy, backoff }, 2, new Error('x'))).toMatchObject({ kind: 'retry', delayMs: 6_000 });
    expect(outcomeOfFailure({ ...policy, on: [{ error: Error, backoff }] }, 1, new Error('y'))).toMatchObject({ kind: 'retry', delayMs: 3_000 });
    expect(asked).toEqual([[2, 'x'], [1, 'y']]);
  });

  it.each([
    ['throws', () => { throw new Error('no idea'); }],
    ['returns a number', () => 5],
    ['returns nothing', () => undefined],
    ['returns a negative delay', () => '-5s'],
    ['returns a promise', () => Promise.resolve('5s')],
    ['returns a promise that is rejected', () => Promise.reject(new Error('no idea'))],
    ['returns what cannot be looked at', () => new Proxy({}, { getPrototypeOf: () => { throw new Error('keep out'); } })],
  ])('that %s loses no message: it waits as long as by default, and that is told', (_, careless) => {
    const told: unknown[] = [];
    const stop = listen('backoff-failed', (event) => told.push(event));
    const outcome = outcomeOfFailure({ ...policy, backoff: custom(careless as never), place: { group: 'g' } }, 1, new Error('x'));
    stop();
    expect(outcome).toMatchObject({ kind: 'retry', delayMs: expect.any(Number), error: { message: 'x' } });
    expect((outcome as { delayMs: number }).delayMs).toBeGreaterThanOrEqual(500);
    expect(told).toEqual([{ group: 'g', failures: 1, error: expect.objectContaining({ message: expect.any(String) }) }]);
  });

  it('is told from what is none', () => {
    expect([custom(() => '1s'), { kind: 'custom', delay: 5 }, { kind: 'custom' }].map(isBackoff)).toEqual([true, false, false]);
    expect([custom(() => '1s'), fixed('1s')].map(isCurveBackoff)).toEqual([false, true]);
  });
});

describe('RetryLater', () => {
  it.each(['5 s', '', 5, undefined, '-1s'])('refuses %p where it is thrown, not where it is handled', (delay) => {
    expect(() => new RetryLater(delay as Duration)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});

describe('back-off', () => {
  const ms = fc.integer({ min: 0, max: 86_400_000 });
  const curve = fc.record({ kind: fc.constantFrom('fixed', 'exponential'), delayMs: ms, maxMs: ms, jitter: fc.boolean() } as const);
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  it('is whole, never below half of the delay and never above the longest', () => {
    fc.assert(
      fc.property(curve, fc.integer({ min: 1, max: 100_000 }), random, (policyOf, failures, chance) => {
        const delay = backoffDelayMs(policyOf, failures, () => chance);
        const least = Math.min(policyOf.delayMs, policyOf.maxMs);
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeLessThanOrEqual(policyOf.maxMs);
        expect(delay).toBeGreaterThanOrEqual(Math.floor(policyOf.jitter ? least / 2 : least));
      }),
    );
  });

  it('never gets shorter from one failure to the next, without jitter', () => {
    fc.assert(
      fc.property(curve, fc.integer({ min: 1, max: 200 }), (given, failures) => {
        const steady = { ...given, jitter: false };
        expect(backoffDelayMs(steady, failures + 1)).toBeGreaterThanOrEqual(backoffDelayMs(steady, failures));
      }),
    );
  });

  it('doubles until it reaches the longest', () => {
    const delays = Array.from({ length: 7 }, (_, index) => backoffDelayMs(exponential('1s', { max: '20s', jitter: false }), index + 1));
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);
  });

  it('is the same each time when it is fixed', () => {
    expect([1, 2, 50].map((failures) => backoffDelayMs(fixed('3s'), failures))).toEqual([3_000, 3_000, 3_000]);
  });

  it('spreads over the upper half with jitter', () => {
    const delays = [0, 0.25, 0.5, 0.999999].map((chance) => backoffDelayMs(exponential('8s'), 1, () => chance));
    expect(delays).toEqual([4_000, 5_000, 6_000, 8_000]);
  });

  it('is made from durations alone', () => {
    expect(exponential('1s')).toEqual({ kind: 'exponential', delayMs: 1_000, maxMs: 3_600_000, jitter: true });
    expect(fixed('1s')).toEqual({ kind: 'fixed', delayMs: 1_000, maxMs: 1_000, jitter: false });
    expect([exponential('1s'), fixed('0ms')].every(isBackoff)).toBe(true);
    for (const make of [() => exponential(5 as never), () => fixed('5' as never), () => exponential('1s', { max: 'long' as never })]) {
      expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    }
  });

  it('refuses options that it does not know, or that are of the wrong type', () => {
    const makes = [
      () => exponential('1s', { maximum: '5m' } as never), () => exponential('1s', { jitter: 'yes' } as never), () => fixed('1s', { max: '5m' } as never),
      () => fixed('1s', null as never), () => fixed('1s', { jitter: null } as never),
    ];
    for (const make of makes) expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});
