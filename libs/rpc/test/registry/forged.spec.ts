import { describe, expect, it } from '@jest/globals';
import { registryKeys } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { plain, RegistryBed } from './registry-bed.js';

const LEASE_MS = 1_500;
const bed = new RegistryBed('forged', LEASE_MS);

const MEMBER = 'host-1-abcdefabcdef.1';
const WELL = {
  member: MEMBER, methods: { charge: [1, 5_000, 'd'] }, metadata: {}, weight: 100, tags: [], host: 'h', pid: 1, startedAt: 1, draining: false,
};
const text = (change: object): string => `contract ${JSON.stringify({ ...WELL, ...change })}`;
const field = (member = MEMBER): string => `payments:1:${member}`;

const SKIPPED: readonly [string, string, string][] = [
  ['no JSON', field(), 'x'],
  ['an empty text', field(), ''],
  ['JSON of another shape', field(), 'c [1,2]'],
  ['JSON that is null', field(), 'c null'],
  ['deep nesting', field(), `c ${'['.repeat(60_000)}`],
  ["another's member", field(), text({ member: 'host-1-abcdefabcdef.2' })],
  ['a member that is no text', field(), text({ member: { toString: 'x' } })],
  ['a field without a member', 'payments:1', text({})],
  ['a field with too many parts', `${field()}:1`, text({})],
  ['a member of odd characters', field('a b\n{}'), text({ member: 'a b\n{}' })],
  ['a version that is no name', `payments:{}:${MEMBER}`, text({})],
  ['a version that is a name of a prototype', `payments:__proto__:${MEMBER}`, text({})],
  ['a megabyte of metadata', field(), text({ metadata: { a: 'x'.repeat(1_000_000) } })],
  ['a long field', field('x'.repeat(1_000)), text({ member: 'x'.repeat(1_000) })],
];

const MANY = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`m${index}`, [1, 1, 'd']]));
const CLAMPED: readonly [string, object, object][] = [
  ['a weight without an end', { weight: 'INFINITE' }, { weight: 1_000 }],
  ['a negative weight', { weight: -5 }, { weight: 1 }],
  ['a weight that is no number', { weight: '7' }, { weight: 100 }],
  ['a broken weight', { weight: 2.4 }, { weight: 2 }],
  ['more methods than there may be', { methods: MANY }, { methods: Object.fromEntries(Object.keys(MANY).slice(0, 256).map((name) => [name, { idempotent: true, timeoutMs: 1, digest: 'd' }])) }],
  ['methods that are none', { methods: { 'a b': [1, 1, 'd'], list: 'x', short: [1], charge: [1, 2, 'd'] } }, { methods: { charge: { idempotent: true, timeoutMs: 2, digest: 'd' } } }],
  ['methods that are a list', { methods: ['a'] }, { methods: {} }],
  ['a timeout without an end', { methods: { charge: [0, 'INFINITE', 'd'] } }, { methods: { charge: { idempotent: false, timeoutMs: 2 ** 31 - 1, digest: 'd' } } }],
  ['long texts', { host: 'h'.repeat(1_000), tags: ['t'.repeat(1_000)], metadata: { a: 'x'.repeat(1_000) } }, { host: 'h'.repeat(255), tags: ['t'.repeat(128)], metadata: { a: 'x'.repeat(512) } }],
  ['many tags', { tags: [...Array<string>(100).fill('t'), 5] }, { tags: Array<string>(32).fill('t') }],
  ['tags that are none', { tags: [1, null, 'a', {}] }, { tags: ['a'] }],
  ['times and numbers of processes that cannot be', { startedAt: 1e300, pid: -1 }, { startedAt: 8.64e15, pid: 0 }],
  ['metadata that is no text', { metadata: { a: 1, b: { c: 'd' }, e: 'f' } }, { metadata: { e: 'f' } }],
];

/** Puts entries into Redis past the tested code. */
async function forge(entries: readonly (readonly [field: string, text: string])[]): Promise<void> {
  for (const [name, value] of entries) await bed.command('HSET', registryKeys(bed.prefix).instances, name, value.replaceAll('"INFINITE"', '1e999'));
  await bed.command('HINCRBY', registryKeys(bed.prefix).state, 'version', 1);
}

describe('an entry of the registry that somebody has forged', () => {
  it.each(SKIPPED)('is skipped, with %s, beside others that are read', async (_, name, value) => {
    const [server, caller] = [await bed.start(), await bed.start()];
    await forge([[name, value]]);
    const { instance } = await bed.serve(server);
    await caller.registry.view.use('payments');
    expect(caller.registry.view.instances({ service: 'payments' }).map(({ member }) => member)).toEqual([instance.member]);
    expect(caller.registry.view.counters.skipped).toBeGreaterThan(0);
    expect((await caller.registry.view.list()).map(({ member }) => member)).toEqual([instance.member]);
  });

  it.each(CLAMPED)('is read within bounds, with %s', async (_, change, expected) => {
    const caller = await bed.start();
    await forge([[field(), text(change)]]);
    await caller.registry.view.use('payments');
    const [seen] = caller.registry.view.instances({ service: 'payments' });
    expect(plain(seen!)).toMatchObject(expected);
    expect(caller.registry.view.counters).toMatchObject({ skipped: 0, clamped: 1 });
  });

  it('adds nothing to any prototype', async () => {
    const caller = await bed.start();
    const polluting = '{"__proto__":{"polluted":"x"},"constructor":{"prototype":{"polluted":"x"}}}';
    const value = text({ metadata: 'M', methods: 'M' }).replaceAll('"M"', polluting).replace('{"member"', '{"__proto__":{"weight":7},"member"');
    await forge([[field(), value]]);
    await caller.registry.view.use('payments');
    const [seen] = caller.registry.view.instances({ service: 'payments' });
    expect([seen!.metadata.size, seen!.methods.size, seen!.weight, ({} as Record<string, unknown>)['polluted']]).toEqual([0, 0, 100, undefined]);
  });

  it('vanishes after a lease, as its member is nobody', async () => {
    const caller = await bed.start();
    await forge([[field(), text({})]]);
    await caller.registry.view.use('payments');
    await waitFor(async () => (await bed.stored()).length === 0, { what: 'the forged entry to be removed' });
    await bed.sees(caller, []);
  });

  it('keeps no instance from being registered, when nobody can read it', async () => {
    const server = await bed.start();
    await forge([[field(), 'x'], [field('b'), text({ member: 'c' })], [field('d'), text({ metadata: { a: 'x'.repeat(100_000) } })]]);
    const { instance } = await bed.serve(server);
    expect(await bed.stored()).toContain(instance.member);
  });

  it('is one of very many: what is read is bounded', async () => {
    const [server, caller] = [await bed.start(), await bed.start()];
    const big = 'x'.repeat(500);
    for (let page = 0; page < 12; page += 1) {
      const pairs = Array.from({ length: 1_000 }, (_, index) => [field(`m-${page}-${index}`), text({ member: `m-${page}-${index}`, metadata: { big } })]);
      await bed.command('HSET', registryKeys(bed.prefix).instances, ...pairs.flat());
    }
    await bed.serve(server, { service: 'other' });
    await caller.registry.view.use('other');
    expect(caller.registry.view.instances({ service: 'other' })).toHaveLength(1);
    await caller.registry.view.use('payments');
    expect(caller.registry.view.instances({ service: 'payments' }).length).toBeLessThanOrEqual(10_000);
    expect(caller.registry.view.counters.skipped).toBeGreaterThan(0);
  });
});

describe('a forged push', () => {
  it.each([
    ['no version', 'x'],
    ['a version that is no number', `x\n${field()}\n${text({})}`],
    ['a version far ahead', `999999999999999\n${field()}\n${text({})}`],
    ['a version that is over', `0\n${field()}\n${text({})}`],
    ['an entry that nobody can read', `NEXT\n${field()}\nx`],
    ['a service of a prototype', `NEXT\n__proto__:1:x\n${text({})}`],
    ['the next version', `NEXT\n${field()}\n${text({})}`],
  ])('with %s does no lasting harm', async (_, push) => {
    const [server, caller] = [await bed.start(), await bed.start()];
    const first = await bed.serve(server);
    await caller.registry.view.use('payments');
    await waitFor(() => caller.registry.view.staleForMs === 0, { what: 'the caller to hear changes' });
    const next = (await bed.version()) + 1;
    await bed.command('SPUBLISH', registryKeys(bed.prefix).changes, push.replace('NEXT', String(next)));
    const [second, third] = [await bed.serve(server), await bed.serve(server)];
    await bed.sees(caller, [first, second, third].map(({ instance }) => instance.member));
  });
});
