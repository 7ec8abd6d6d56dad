import { describe, expect, it } from '@jest/globals';
import { isMillraceError } from '@millrace/core';
import { addressIn, connectRedis, nodeNameOf, type RedisTarget, shownTarget } from '../../src/index.js';

const NODES = [{ host: 'a', port: 1 }];
const WRONG = [
  { host: 'user:secret@a', port: 6379 }, { host: 'a', port: 6379, password: 'secret' }, { host: '', port: 1 }, { host: '[::1]', port: 1 },
  { host: 'a', port: 0 }, { host: 'a', port: 65_536 }, { host: 'a', port: '1' }, 'user:secret@a:1', null,
] as never[];

const PLACES: [string, (address: never) => RedisTarget][] = [
  ['nodes', (address) => ({ cluster: { nodes: [address] } })],
  ['the map of a Cluster', (address) => ({ cluster: { nodes: NODES, natMap: { 'b:1': address } } })],
  ['Sentinels', (address) => ({ sentinel: { primary: 'main', nodes: [address] } })],
  ['the map behind Sentinels', (address) => ({ sentinel: { primary: 'main', nodes: NODES, natMap: { 'b:1': address } } })],
];

describe.each(PLACES)('addresses of %s', (_, targetOf) => {
  it.each(WRONG)('are refused before anything connects, and without a password: %j', async (address) => {
    const error: unknown = await connectRedis(targetOf(address)).then(() => null, (thrown: unknown) => thrown);
    if (!isMillraceError(error)) throw new Error('It was taken.');
    expect(error.code).toBe('INVALID_OPTIONS');
    expect([error.message, ...error.problems].join()).not.toContain('secret');
  });
});

describe('the name of a node', () => {
  it.each([['a:1', { host: 'a', port: 1 }], ['::1:6379', { host: '::1', port: 6379 }]])('is %s', (name, address) => {
    expect(nodeNameOf(address)).toBe(name);
    expect(addressIn(name)).toEqual(address);
  });

  it('is shown with brackets where it is of IPv6', () => {
    expect(shownTarget({ cluster: { nodes: [...NODES, { host: '::1', port: 6379 }] } })).toBe('the Cluster a:1, [::1]:6379');
  });
});
