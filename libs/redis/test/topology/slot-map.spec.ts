import { describe, expect, it } from '@jest/globals';
import { areOfOneCluster, nodeIn, NO_SLOTS, slotMapOf } from '../../src/topology/slot-map.js';

const ASKED = 'asked:7000';
const ids = (...names: string[]): string[] => names.map((name) => name.padEnd(40, '0'));

describe('the name of a node', () => {
  it.each([
    ['10.0.0.1', [], '10.0.0.1:6379'],
    ['node-1', ['ip', '10.0.0.1'], 'node-1:6379'],
    ['::1', [], '::1:6379'],
    [null, ['ip', '10.0.0.1'], 'asked:6379'],
    ['', [], 'asked:6379'],
    ['?', ['ip', '10.0.0.1'], '10.0.0.1:6379'],
    ['?', ['hostname', 'x', 'ip', '10.0.0.1'], '10.0.0.1:6379'],
    ['?', [], 'asked:6379'],
  ])('that announces the host %p, and %p, is %p', (host, others, name) => {
    const { owners, primaries } = slotMapOf([[0, 16_383, [host, 6_379, 'id', others]]], ASKED);
    expect([owners[0], owners[16_383], ...primaries]).toEqual([name, name, name]);
  });

  it('is found by its port in a redirect to a name that it does not have, where no other has that port', () => {
    const map = slotMapOf([[0, 1, ['10.0.0.1', 6_379], ['10.0.0.2', 6_380]], [2, 3, ['10.0.0.3', 6_379]]], ASKED);
    expect(nodeIn('?:6380', ASKED, map)).toBe('10.0.0.2:6380');
    expect(nodeIn('?:6379', ASKED, map)).toBeNull();
    expect(nodeIn('?:6381', ASKED, map)).toBeNull();
    expect([nodeIn(':6379', ASKED, map), nodeIn('b:1', ASKED, map)]).toEqual(['asked:6379', 'b:1']);
  });

  it('is that of the node that spoke in a redirect without a host, also when it is of IPv6', () => {
    expect(nodeIn(':7001', '::1:6379', NO_SLOTS)).toBe('::1:7001');
    expect(nodeIn('10.0.0.2:7001', '::1:6379', NO_SLOTS)).toBe('10.0.0.2:7001');
    expect(nodeIn('::ffff:10.0.0.2:7001', '10.0.0.1:6379', NO_SLOTS)).toBe('::ffff:10.0.0.2:7001');
  });
});

describe('two maps', () => {
  it('are of one Cluster when a node is in both, or one does not tell', () => {
    const [a, b, c] = ids('a', 'b', 'c') as [string, string, string];
    const before = slotMapOf([[0, 16_383, ['x', 1, a], ['x', 2, b]]], ASKED);
    expect(areOfOneCluster(slotMapOf([[0, 16_383, ['x', 2, b]]], ASKED), before)).toBe(true);
    expect(areOfOneCluster(slotMapOf([[0, 16_383, ['x', 1, c]]], ASKED), before)).toBe(false);
    for (const silent of [NO_SLOTS, slotMapOf([[0, 16_383, ['x', 1]]], ASKED)]) expect(areOfOneCluster(silent, before)).toBe(true);
  });
});
