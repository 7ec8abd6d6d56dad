import { hostname } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { type Instance, registryKeys } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { METHODS, plain, RegistryBed } from './registry-bed.js';

const LEASE_MS = 1_500;
const bed = new RegistryBed('registry', LEASE_MS);

const members = (instances: readonly Instance[]): string[] => instances.map(({ member }) => member);

describe('an instance of a service', () => {
  it('is known at the first use with all that it says about itself', async () => {
    const [server, caller] = [await bed.start(), await bed.start()];
    const metadata = { zone: 'eu', constructor: 'x', ['__proto__']: 'y' };
    const { instance } = await bed.serve(server, { metadata, weight: 7, tags: ['blue', 'ä'] });
    await caller.registry.view.use('payments');
    const [seen] = caller.registry.view.instances({ service: 'payments', version: '1' });
    expect(plain(seen!)).toEqual({
      service: 'payments', version: '1', member: instance.member, methods: METHODS, contract: instance.contract, metadata: plain(instance)['metadata' as never],
      weight: 7, tags: ['blue', 'ä'], host: hostname(), pid: process.pid, startedAt: instance.startedAt, draining: false,
    });
    expect(seen!.metadata.get('__proto__')).toBe('y');
    expect(caller.registry.view.counters).toMatchObject({ skipped: 0, clamped: 0 });
  });

  it('is seen by push when it joins, changes and leaves', async () => {
    const [server, caller] = [await bed.start(), await bed.start()];
    await bed.serve(server, { service: 'other' });
    await caller.registry.view.use('payments');
    await waitFor(() => caller.registry.view.staleForMs === 0, { what: 'the caller to hear changes' });
    const { reads } = caller.registry.view.counters;
    const registration = await bed.serve(server);
    const { member } = registration.instance;
    await bed.sees(caller, [member]);
    await registration.update({ weight: 3, metadata: { zone: 'us' } });
    await waitFor(() => caller.registry.view.instances({ service: 'payments' })[0]?.weight === 3, { what: 'the change' });
    expect(caller.registry.view.instances({ service: 'payments' })[0]!.metadata.get('zone')).toBe('us');
    await registration.unregister();
    await bed.sees(caller, []);
    expect(await bed.stored()).toEqual([]);
    expect(caller.registry.view.counters).toMatchObject({ reads, gaps: 0 });
  });

  it('that drains takes no new calls, and is listed all the same', async () => {
    const [server, caller] = [await bed.start(), await bed.start()];
    await caller.registry.view.use('payments');
    const [leaving, staying] = [await bed.serve(server), await bed.serve(server)];
    await bed.sees(caller, [leaving.instance.member, staying.instance.member]);
    await leaving.update({ draining: true });
    await bed.sees(caller, [staying.instance.member]);
    const listed = await caller.registry.view.list();
    expect(listed.map(({ member, draining }) => [member, draining])).toEqual(
      [[leaving.instance.member, true], [staying.instance.member, false]].sort());
    await leaving.update({ draining: false });
    await bed.sees(caller, [leaving.instance.member, staying.instance.member]);
  });

  it('leaves when its registry stops, and its registration refuses changes from then on', async () => {
    const [server, caller] = [await bed.start(), await bed.start()];
    await caller.registry.view.use('payments');
    const registration = await bed.serve(server);
    await bed.sees(caller, [registration.instance.member]);
    await server.registry.stop();
    await bed.sees(caller, []);
    await expect(registration.update({ weight: 1 })).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(bed.serve(server)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('is not registered twice by one process, and may be registered again after it was unregistered', async () => {
    const server = await bed.start();
    const registration = await bed.serve(server);
    const again = { service: 'payments', version: '1', methods: METHODS, member: registration.instance.member };
    await expect(server.registry.register(again)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await registration.unregister();
    await registration.unregister();
    await server.registry.register(again);
    expect(await bed.stored()).toEqual([registration.instance.member]);
    await registration.unregister();
    expect(await bed.stored()).toEqual([registration.instance.member]);
  });

  it.each([
    ['a service that is no name', { service: 'a:b' }],
    ['a version that is no name', { version: '' }],
    ['a method that is no name', { methods: { 'a b': METHODS['charge']! } }],
    ['a timeout of zero', { methods: { a: { idempotent: true, timeoutMs: 0, digest: '' } } }],
    ['too many methods', { methods: Object.fromEntries(Array.from({ length: 257 }, (_, index) => [`m${index}`, METHODS['charge']!])) }],
    ['a weight of zero', { weight: 0 }],
    ['a weight that is too large', { weight: 1_001 }],
    ['a text that is too long', { metadata: { a: 'x'.repeat(513) } }],
    ['too many tags', { tags: Array<string>(33).fill('a') }],
    ['half a character', { tags: ['\ud800'] }],
  ])('is refused with %s', async (_, tuning) => {
    await expect(bed.serve(await bed.start(), tuning)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(await bed.stored()).toEqual([]);
  });
});

describe('the view of a process', () => {
  it('sorts instances by version and member, and gives the same list until something changes', async () => {
    const [server, caller] = [await bed.start(), await bed.start()];
    const one = await bed.serve(server, { version: '2' });
    const others = [await bed.serve(server), await bed.serve(server), await bed.serve(server)];
    await bed.serve(server, { service: 'other' });
    await caller.registry.view.use('payments');
    const { view } = caller.registry;
    const firsts = others.map(({ instance }) => instance.member).sort();
    expect(members(view.instances({ service: 'payments' }))).toEqual([...firsts, one.instance.member]);
    expect(members(view.instances({ service: 'payments', version: '1' }))).toEqual(firsts);
    expect(members(view.instances({ service: 'payments', version: '3' }))).toEqual([]);
    expect(view.instances({ service: 'payments' })).toBe(view.instances({ service: 'payments' }));
    expect((await view.list()).map(({ service }) => service)).toEqual(['other', 'payments', 'payments', 'payments', 'payments']);
  });

  it('has the instances of a service soon after it was asked for them for the first time', async () => {
    const [server, caller] = [await bed.start(), await bed.start()];
    const { instance } = await bed.serve(server);
    expect(caller.registry.view.instances({ service: 'payments' })).toEqual([]);
    await bed.sees(caller, [instance.member]);
  });

  it('refuses the name of a service that is none', async () => {
    const { view } = (await bed.start()).registry;
    expect(() => view.instances({ service: '__proto__' })).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }));
    await expect(view.use('a:b')).rejects.toMatchObject({ code: 'INVALID_NAME' });
  });

  it('notifies those who watch a service after each change, until they do not want it any more', async () => {
    const [server, caller] = [await bed.start(), await bed.start()];
    const [heard, deaf]: [string[][], string[][]] = [[], []];
    caller.registry.view.watch('payments', () => {
      throw new Error('a listener that fails');
    });
    const stop = caller.registry.view.watch('payments', (instances) => deaf.push(members(instances)));
    caller.registry.view.watch('payments', (instances) => heard.push(members(instances)));
    await caller.registry.view.use('payments');
    const registration = await bed.serve(server);
    await waitFor(() => heard.length === 1, { what: 'the first change' });
    stop();
    await registration.update({ draining: true });
    await waitFor(() => heard.length === 2, { what: 'the second change' });
    await registration.unregister();
    await waitFor(() => heard.length === 3, { what: 'the third change' });
    const { member } = registration.instance;
    expect([heard, deaf]).toEqual([[[member], [member], []], [[member]]]);
  });

  it('reads all again when a change does not follow the one before', async () => {
    const [server, caller] = [await bed.start(), await bed.start()];
    await caller.registry.view.use('payments');
    await waitFor(() => caller.registry.view.staleForMs === 0, { what: 'the caller to hear changes' });
    const first = await bed.serve(server);
    await bed.sees(caller, [first.instance.member]);
    const missed = await bed.slipIn(server, first);
    const { gaps } = caller.registry.view.counters;
    const last = await bed.serve(server);
    await bed.sees(caller, [first.instance.member, missed, last.instance.member]);
    expect(caller.registry.view.counters.gaps).toBe(gaps + 1);
  });

  it('finds by polling what it did not hear', async () => {
    const caller = await bed.start({ pollMs: 100 });
    await caller.registry.view.use('payments');
    const first = await bed.serve(caller);
    await bed.sees(caller, [first.instance.member, await bed.slipIn(caller, first)]);
  });

  it('reads all again when it polls a version that is lower than its own', async () => {
    const [server, caller] = [await bed.start(), await bed.start({ pollMs: 100 })];
    await caller.registry.view.use('payments');
    const first = await bed.serve(server);
    const lost = await bed.slipIn(server, first);
    await bed.sees(caller, [first.instance.member, lost]);
    const { instances, state } = registryKeys(bed.prefix);
    await bed.command('HDEL', instances, `payments:1:${lost}`);
    await bed.command('HSET', state, 'version', 1);
    await bed.sees(caller, [first.instance.member]);
  });

  it('is right again after Redis has lost everything', async () => {
    const [server, caller] = [await bed.start({ pollMs: 100 }), await bed.start({ pollMs: 100 })];
    await caller.registry.view.use('payments');
    const registrations = [await bed.serve(server), await bed.serve(server)];
    const names = registrations.map(({ instance }) => instance.member);
    const lost = await bed.slipIn(server, registrations[0]!);
    await bed.sees(caller, [...names, lost]);
    const before = await bed.version();
    await bed.command('DEL', registryKeys(bed.prefix).instances, registryKeys(bed.prefix).state);
    await waitFor(async () => (await bed.stored()).length === 2, { what: 'the instances to be registered again' });
    expect(await bed.version()).toBeGreaterThan(before);
    await registrations[0]!.update({ weight: 5 });
    const sees = (): boolean => caller.registry.view.instances({ service: 'payments' }).some(({ weight }) => weight === 5);
    await waitFor(sees, { what: 'the change after that' });
    await bed.sees(caller, names);
  });

  it('keeps instances that a lost registry does not have any more, until they register again, or their presence ends', async () => {
    const [server, caller] = [await bed.start(), await bed.start()];
    await caller.registry.view.use('payments');
    const [first, second] = [await bed.serve(server), await bed.child()];
    const names = [first.instance.member, second.member];
    await bed.sees(caller, names);
    const { reads } = caller.registry.view.counters;
    await bed.command('DEL', registryKeys(bed.prefix).instances, registryKeys(bed.prefix).state);
    // The first change of the registry that is made anew has them all read again.
    const third = await bed.serve(server);
    await waitFor(() => caller.registry.view.counters.reads > reads, { what: 'all to be read' });
    await bed.sees(caller, [...names, third.instance.member]);
    expect(await bed.stored()).not.toContain(first.instance.member);
    server.registry.look();
    await waitFor(async () => (await bed.stored()).includes(first.instance.member), { what: 'one to register again' });
    await second.child.kill();
    await bed.sees(caller, [first.instance.member, third.instance.member]);
    await first.unregister();
    await bed.sees(caller, [third.instance.member]);
  });

  it('goes on answering while Redis is away, says how old that is, and catches up', async () => {
    const caller = bed.registryOf(await bed.peerBehindProxy());
    const server = await bed.start();
    await caller.registry.view.use('payments');
    const [first, leaving] = [await bed.serve(server), await bed.serve(server)];
    await bed.sees(caller, [first.instance.member, leaving.instance.member]);
    await waitFor(() => caller.registry.view.staleForMs === 0, { what: 'the caller to hear changes' });
    await caller.proxy.refuse();
    await waitFor(() => caller.registry.view.staleForMs > 500, { what: 'the view to be old' });
    await leaving.unregister();
    const joining = await bed.serve(server);
    const kept = members(caller.registry.view.instances({ service: 'payments' }));
    expect(kept).toEqual([first.instance.member, leaving.instance.member].sort());
    await caller.proxy.pass();
    await bed.sees(caller, [first.instance.member, joining.instance.member]);
    await waitFor(() => caller.registry.view.staleForMs === 0, { what: 'the view to be up to date' });
  });

  it('reads all again after a lost connection, as a failover may have gone on from an earlier version', async () => {
    const caller = bed.registryOf(await bed.peerBehindProxy());
    const server = await bed.start();
    await caller.registry.view.use('payments');
    const first = await bed.serve(server);
    await bed.sees(caller, [first.instance.member]);
    await waitFor(() => caller.registry.view.staleForMs === 0, { what: 'the caller to hear changes' });
    await caller.proxy.refuse();
    const other = await bed.slipIn(server, first);
    await bed.command('HINCRBY', registryKeys(bed.prefix).state, 'version', -1);
    await caller.proxy.pass();
    await bed.sees(caller, [first.instance.member, other]);
  });

  it('does not wait for ever for a first use while Redis is away, and has it later', async () => {
    const caller = bed.registryOf(await bed.peerBehindProxy());
    const { instance } = await bed.serve(await bed.start());
    await caller.proxy.refuse();
    await expect(caller.registry.view.use('payments')).rejects.toMatchObject({ code: 'REDIS_UNREACHABLE', retryable: true });
    expect(caller.registry.view.staleForMs).toBe(Number.POSITIVE_INFINITY);
    await caller.proxy.pass();
    await bed.sees(caller, [instance.member]);
  });
});
