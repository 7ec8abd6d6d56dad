import { describe, expect, it } from '@jest/globals';
import { contractOf, RpcContract } from '@millrace/rpc';
import { thrownBy } from '../thrown.js';
import { ChargeRequest, ChargeResult, PaymentsApi } from './payments.js';

const declare = (methods: unknown, options?: unknown, name = 'payments'): unknown =>
  thrownBy(() => RpcContract<PaymentsApi>(name, methods as never, options as never));

describe('a contract', () => {
  it('names the service, its version, and how each method may be called', () => {
    const { service, version, methods, type } = contractOf(PaymentsApi);
    expect([service, version, type]).toEqual(['payments', '1', PaymentsApi]);
    expect([...methods.values()]).toEqual([
      { name: 'charge', input: ChargeRequest, output: ChargeResult, items: null, timeoutMs: 3_000, idempotent: true, oneWay: false },
      { name: 'quote', input: ChargeRequest, output: ChargeResult, items: null, timeoutMs: 5_000, idempotent: false, oneWay: false },
      { name: 'note', input: ChargeRequest, output: null, items: null, timeoutMs: 5_000, idempotent: false, oneWay: true },
      { name: 'ping', input: null, output: null, items: null, timeoutMs: 5_000, idempotent: false, oneWay: false },
    ]);
  });

  it.each([
    ['no methods', {}, undefined, 'INVALID_OPTIONS'],
    ['null for its methods', null, undefined, 'INVALID_OPTIONS'],
    ['a method that is named like no method', { 'a b': {} }, undefined, 'INVALID_NAME'],
    ['a method that JavaScript calls by itself', { then: {} }, undefined, 'INVALID_NAME'],
    ['a method that Nest calls by itself', { onModuleInit: {} }, undefined, 'INVALID_NAME'],
    ['an unknown option of a method', { charge: { timout: '1s' } }, undefined, 'INVALID_OPTIONS'],
    ['a timeout that is no duration', { charge: { timeout: 5 } }, undefined, 'INVALID_OPTIONS'],
    ['a request that is no class', { charge: { input: 'ChargeRequest' } }, undefined, 'INVALID_OPTIONS'],
    ['an answer to a one-way call', { charge: { output: ChargeResult, oneWay: true } }, undefined, 'INVALID_OPTIONS'],
    ['items beside an answer', { charge: { items: ChargeResult, output: ChargeResult } }, undefined, 'INVALID_OPTIONS'],
    ['items of a one-way call', { charge: { items: ChargeResult, oneWay: true } }, undefined, 'INVALID_OPTIONS'],
    ['items that are no class', { charge: { items: 'ChargeResult' } }, undefined, 'INVALID_OPTIONS'],
    ['a window without items', { charge: { output: ChargeResult, window: 8 } }, undefined, 'INVALID_OPTIONS'],
    ['a window of no items', { charge: { items: ChargeResult, window: 0 } }, undefined, 'INVALID_OPTIONS'],
    ['more than an hour for one answer', { charge: { output: ChargeResult, timeout: '2h' } }, undefined, 'INVALID_OPTIONS'],
    ['more than a day for items', { charge: { items: ChargeResult, timeout: '25h' } }, undefined, 'INVALID_OPTIONS'],
    ['a version that is no name', { charge: {} }, { version: 'a:b' }, 'INVALID_OPTIONS'],
  ])('is refused with %s', (_, methods, options, code) => {
    expect(declare(methods, options)).toMatchObject({ code });
  });

  it('is refused with a name that cannot stand in a key', () => {
    expect(declare({ charge: {} }, undefined, 'a:b')).toMatchObject({ code: 'INVALID_NAME' });
  });

  it('is asked for by its class, and a class without one is named', () => {
    expect(thrownBy(() => contractOf(ChargeRequest))).toMatchObject({
      code: 'NOT_A_CONTRACT', message: expect.stringContaining('ChargeRequest is no contract of a service: put @RpcContract'),
    });
    expect(thrownBy(() => contractOf(undefined))).toMatchObject({ code: 'NOT_A_CONTRACT', message: expect.stringContaining('circle') });
  });
});
