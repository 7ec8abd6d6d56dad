import { describe, expect, it } from '@jest/globals';
import {
  type Duration, exponential, fixed, isJob, isTopic, Job, jobOf, type JobOptions, Topic, type TopicOptions, topicOf,
} from '@millrace/core';
import { thrownBy } from './thrown.js';

/** An error of options, one of whose problems is about this one. */
function invalid(option: string): unknown {
  const problem: unknown = expect.stringMatching(new RegExp(`^${option} must`));
  const problems: unknown = expect.arrayContaining([problem]);
  return expect.objectContaining({ code: 'INVALID_OPTIONS', problems });
}

describe('@Topic', () => {
  it('knows its defaults', () => {
    @Topic('orders')
    class Order {}
    expect(topicOf(Order)).toEqual({
      name: 'orders', partitions: 1, idempotencyWindowMs: 86_400_000, idempotencyScope: 'topic', ttlMs: null, durability: 'server', retention: null, key: undefined,
      payload: Order, types: new Map(),
    });
    expect(isTopic(Order)).toBe(true);
  });

  it('takes what it is given', () => {
    const key = (order: { customer: string }): string => order.customer;
    @Topic<Order>('orders', { partitions: 256, key, idempotencyWindow: '2h' })
    class Order {
      customer!: string;
    }
    expect(topicOf(Order)).toMatchObject({ partitions: 256, idempotencyWindowMs: 7_200_000, key });
  });

  it("takes 'settled' for a retention, alone or beside limits", () => {
    @Topic('orders', { retention: 'settled' })
    class Order {}
    @Topic('parcels', { retention: { settled: true, maxMessages: 100 } })
    class Parcel {}
    @Topic('prices', { retention: { maxMessages: 100 } })
    class Price {}
    const limits = { maxAgeMs: null, maxBytes: null, overflow: 'reject', dropGroupAfterMs: 604_800_000 };
    expect(topicOf(Order).retention).toEqual({ settled: true, maxMessages: null, ...limits });
    expect(topicOf(Parcel).retention).toEqual({ settled: true, maxMessages: 100, ...limits });
    expect(topicOf(Price).retention).toEqual({ settled: false, maxMessages: 100, ...limits });
  });

  it.each([
    ['setled', "retention 'setled' is not known: did you mean 'settled'?"],
    ['for ever', "retention 'for ever' is not known; known are settled."],
    [7, "retention must be 'settled' or an object, such as { maxAge: '7d' }"],
    [[], "retention must be 'settled' or an object, such as { maxAge: '7d' }"],
    [null, 'retention must not be null: leave it out instead'],
  ])('refuses the retention %p', async (retention, problem) => {
    const { problems } = await thrownBy(() => Topic('orders', { retention } as unknown as TopicOptions));
    expect(problems).toEqual([problem]);
  });

  it.each([
    [{ setled: true }, "option 'setled' is not known: did you mean 'settled'?"],
    [{ settled: 'yes' }, 'settled must be a boolean value'],
  ])('refuses the retention %j', async (retention, problem) => {
    const { problems } = await thrownBy(() => Topic('orders', { retention } as unknown as TopicOptions));
    expect(problems).toEqual([problem]);
  });

  it('cannot be changed afterwards', () => {
    @Topic('orders')
    class Order {}
    expect(() => Object.assign(topicOf(Order), { partitions: 7 })).toThrow(TypeError);
  });

  it('is not inherited: a subclass is no topic until it says so', () => {
    @Topic('orders')
    class Order {}
    class Express extends Order {}
    expect(isTopic(Express)).toBe(false);
    expect(() => topicOf(Express)).toThrow(expect.objectContaining({ code: 'NOT_A_TOPIC' }));
  });

  it.each([0, -1, 1.5, '10', 1e9, 257, Number.NaN, Infinity, true, [4], {}, null])('refuses %p partitions', (partitions) => {
    const options = { partitions } as TopicOptions;
    expect(() => Topic('orders', options)).toThrow(invalid('partitions'));
  });

  it.each(['1d ', '0s', '999ms', '31d', 5, null, '-1s'])('refuses the idempotency window %p', (window) => {
    const options = { idempotencyWindow: window as Duration };
    expect(() => Topic('orders', options)).toThrow(invalid('idempotencyWindow'));
  });

  it('names the nearest option that it knows', async () => {
    const error = await thrownBy(() => Topic('orders', { partitons: 4 } as TopicOptions));
    expect(error.code).toBe('INVALID_OPTIONS');
    expect(error.problems).toEqual(["option 'partitons' is not known: did you mean 'partitions'?"]);
    expect(error.message).toContain("@Topic('orders')");
  });

  it('tells every problem at once', async () => {
    const options = { partitions: 0, key: 'customerId', idempotencyWindow: 'soon', retain: { maxAge: '7d' } } as unknown as TopicOptions;
    const { problems } = await thrownBy(() => Topic('orders', options));
    expect(problems.join('\n')).toMatch(/retain.*known are durability, idempotencyScope, idempotencyWindow, key, partitions, retention, ttl, unknownProperties\.[^]*partitions must not be less than 1[^]*key must be a function[^]*idempotencyWindow must be a duration/);
  });

  it.each([null, [], 'partitions=4', 4, () => 4])('refuses %p as options', (options) => {
    expect(() => Topic('orders', options as TopicOptions)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });

  it.each([undefined, null, 'orders', {}, [], Symbol('x'), class Plain {}, () => 1])('is not found on %p', (target) => {
    expect(isTopic(target)).toBe(false);
    expect(() => topicOf(target)).toThrow(expect.objectContaining({ code: 'NOT_A_TOPIC', message: expect.stringContaining("put @Topic('its.name')") }));
  });

  it('takes __proto__ in its options for an option that it does not know', async () => {
    const options = JSON.parse('{"__proto__":{"partitions":7},"constructor":{"prototype":{"partitions":7}}}') as TopicOptions;
    const { problems } = await thrownBy(() => Topic('orders', options));
    expect(problems).toEqual([expect.stringContaining("'__proto__' is not known"), expect.stringContaining("'constructor' is not known")]);
    expect(({} as TopicOptions).partitions).toBeUndefined();
  });
});

describe('@Job', () => {
  it('knows its defaults', () => {
    @Job('confirm', { queue: 'emails' })
    class Confirm {}
    const backoff = exponential('1s', { max: '5m' });
    expect(jobOf(Confirm)).toEqual({ name: 'confirm', queue: 'emails', attempts: 5, backoff, payload: Confirm });
    expect(isJob(Confirm)).toBe(true);
    expect(isTopic(Confirm)).toBe(false);
  });

  it('may be a topic as well', () => {
    @Topic('confirmations')
    @Job('confirm', { queue: 'emails', attempts: 1, backoff: fixed('3s') })
    class Confirm {}
    expect(topicOf(Confirm).name).toBe('confirmations');
    expect(jobOf(Confirm)).toMatchObject({ name: 'confirm', attempts: 1, backoff: { kind: 'fixed', delayMs: 3_000 } });
  });

  it('needs a queue with the name of one', async () => {
    expect((await thrownBy(() => Job('confirm', {} as JobOptions))).problems).toEqual([expect.stringContaining('queue must be the name of a queue')]);
    expect(() => Job('confirm', { queue: 'a:b' })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    expect(() => Job('confirm', undefined as unknown as JobOptions)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });

  it.each([0, -1, 1.5, '10', 1e9, null])('refuses %p attempts', (attempts) => {
    const options = { queue: 'emails', attempts } as JobOptions;
    expect(() => Job('confirm', options)).toThrow(invalid('attempts'));
  });

  it.each([
    {}, { kind: 'exponential' }, { ...fixed('1s'), delayMs: '1000' }, { ...fixed('1s'), delayMs: -1 }, { ...fixed('1s'), maxMs: Number.NaN },
    { ...fixed('1s'), kind: 'linear' }, { ...fixed('1s'), jitter: 'yes' }, '5s', 5, null, [],
  ])('refuses the back-off %p', (backoff) => {
    const options = { queue: 'emails', backoff } as JobOptions;
    expect(() => Job('confirm', options)).toThrow(invalid('backoff'));
  });

  it.each([undefined, 'confirm', class Plain {}])('is not found on %p', (target) => {
    expect(() => jobOf(target)).toThrow(expect.objectContaining({ code: 'NOT_A_JOB' }));
  });
});
