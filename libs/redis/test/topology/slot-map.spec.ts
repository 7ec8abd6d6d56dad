import { describe, expect, it } from '@jest/globals';
import { nameIn, slotMapOf } from '../../src/topology/slot-map.js';

describe('a node of a Cluster', () => {
  it.each([
    ['', '10.0.0.1:7001'],
    [null, '10.0.0.1:7001'],
    ['?', '10.0.0.1:7001'],
    ['redis-2', 'redis-2:7001'],
  ])('has the host of the node that spoke where none is announced: %j', (host, name) => {
    const { owners, primaries, replicas } = slotMapOf([[0, 1, [host, 7001, 'id'], [host, 7002, 'id']]], '10.0.0.1:6379');
    expect([owners.slice(0, 3), [...primaries], [...replicas]]).toEqual([[name, name, null], [name], [name.replace('7001', '7002')]]);
  });

  it('has it in a redirect, too, also when it is of IPv6', () => {
    expect(nameIn(':7001', '::1:6379')).toBe('::1:7001');
    expect(nameIn('10.0.0.2:7001', '::1:6379')).toBe('10.0.0.2:7001');
  });
});
