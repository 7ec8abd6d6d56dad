import { describe, expect, it } from '@jest/globals';
import { parseOptions } from '@millrace/core';
import { contractOf, RpcContract } from '@millrace/rpc';
import { ValidateBy } from 'class-validator';
import { clientMethod } from '../../src/client/client-method.js';
import { CallOptions, callOptions } from '../../src/contract/call-options.js';

class Slow {
  @ValidateBy({ name: 'slow', async: true, validator: { validate: () => Promise.resolve(true) } })
  value!: number;
}

@RpcContract<SlowApi>('slow', { note: { input: Slow, idempotent: true } })
abstract class SlowApi {
  abstract note(slow: Slow): Promise<void>;
}

const { signal } = new AbortController();

describe('options of a call', () => {
  it.each([
    {}, { timeout: undefined }, { timeout: '1ms' }, { timeout: '1d' }, { signal }, { requestId: 'é'.repeat(128) }, { headers: { a: 'b' } },
    { instance: 'i'.repeat(200) }, { key: '' }, { key: 'k'.repeat(1_024) }, { timeout: '2s', signal, requestId: '1', headers: {}, instance: 'i', key: 'k' },
  ])('are taken as they are when they are good: %j', (options) => {
    expect(callOptions(options, 'work.echo()')).toBe(options);
    expect(() => parseOptions(CallOptions, options, '')).not.toThrow();
  });

  it.each([
    ['timeout', '0ms'], ['timeout', '25h'], ['timeout', 5], ['timeout', null], ['signal', {}], ['signal', new AbortController()],
    ['requestId', ''], ['requestId', 'é'.repeat(129)], ['requestId', '\ud800'], ['requestId', 7], ['headers', 'x'], ['headers', []],
    ['instance', ''], ['instance', 'i'.repeat(201)], ['instance', 7], ['key', 'k'.repeat(1_025)], ['key', 7], ['timout', '1s'],
  ])('are refused, and named with their call, when they are not: %s %j', (name, value) => {
    const problem = name === 'timout' ? "option 'timout' is not known: did you mean 'timeout'?" : `${name} must`;
    expect(() => callOptions({ [name]: value }, 'work.echo()')).toThrow(expect.objectContaining({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining('The call of work.echo() is not configured well.'),
      problems: [expect.stringContaining(problem)],
    }));
  });

  it('count as they were when the call was made, also while its request is checked', async () => {
    const contract = contractOf(SlowApi);
    const options = { requestId: 'a' };
    const preparing = clientMethod(contract, contract.methods.get('note')!, {}).prepare({ value: 1 }, options);
    options.requestId = 'b';
    expect(preparing).toBeInstanceOf(Promise);
    expect(await preparing).toMatchObject({ requestId: 'a' });
  });

  it.each([null, 7, 'x', []])('are an object, and not %j', (options) => {
    expect(() => callOptions(options, 'work.echo()')).toThrow('The call of work.echo(): the options must be an object.');
  });
});
