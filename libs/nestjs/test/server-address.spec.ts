import { expect, it } from '@jest/globals';
import { serverAddressOf } from '../src/telemetry/server-address.js';

it.each([
  ['redis://user:secret@redis.example:6380/2', { address: 'redis.example', port: 6_380 }],
  ['rediss://redis.example', { address: 'redis.example', port: 6_379 }],
  ['redis://[::1]:7000', { address: '::1', port: 7_000 }],
  ['unix:///run/redis.sock', { address: '/run/redis.sock' }],
])('the address of %s is that of its host, without the password', (url, address) => {
  expect(serverAddressOf({ url })).toEqual(address);
});

it('several servers have no one address', () => {
  expect(serverAddressOf({ cluster: { nodes: [{ host: 'a', port: 1 }] } })).toBeNull();
});
