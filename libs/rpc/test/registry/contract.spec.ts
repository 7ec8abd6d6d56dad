import { describe, expect, it } from '@jest/globals';
import { type MethodSummary, registryKeys } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { METHODS, RegistryBed } from './registry-bed.js';

const LEASE_MS = 900;
const bed = new RegistryBed('contract', LEASE_MS);

const OTHER: Readonly<Record<string, MethodSummary>> = { ...METHODS, refund: { ...METHODS['refund']!, digest: 'd3' } };

describe('an instance with another contract than a living one of its service and version', () => {
  it('is refused with the name of the living one and the methods that differ', async () => {
    const [one, other] = [await bed.start(), await bed.start()];
    const { instance } = await bed.serve(one);
    const refused = bed.serve(other, { methods: OTHER });
    await expect(refused).rejects.toMatchObject({ code: 'CONTRACT_CONFLICT', retryable: false });
    await expect(refused).rejects.toThrow(instance.member);
    await expect(refused).rejects.toThrow('"refund"');
    await expect(refused).rejects.not.toThrow('"charge"');
    expect(await bed.stored()).toEqual([instance.member]);
  });

  it('is registered in another version, and one with the same methods in another order in the same', async () => {
    const [one, other] = [await bed.start(), await bed.start()];
    await bed.serve(one);
    await bed.serve(other, { methods: OTHER, version: '2' });
    await bed.serve(other, { methods: { refund: METHODS['refund']!, charge: METHODS['charge']! } });
    expect(await bed.stored()).toHaveLength(3);
  });

  it('is registered when that one is dead, whose entry is removed', async () => {
    const [other, { child, member }, { child: second }] = [await bed.start(), await bed.child(), await bed.child()];
    expect(await bed.stored()).toContain(member);
    await Promise.all([child.kill(), second.kill()]);
    const { instance } = await bed.serve(other, { methods: OTHER });
    expect(await bed.stored()).toEqual([instance.member]);
  });

  it('is refused for all but one of several that register at once', async () => {
    const peers = [await bed.start(), await bed.start(), await bed.start(), await bed.start()];
    const digests = peers.map((peer, index) => bed.serve(peer, { methods: { a: { idempotent: true, timeoutMs: 1, digest: `d${index}` } } }));
    const results = await Promise.allSettled(digests);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as { code: string }).code] : []));
    expect(codes).toEqual(Array(3).fill('CONTRACT_CONFLICT'));
    expect(await bed.stored()).toHaveLength(1);
  });

  it('does not come back when it was frozen for a while, and does when it may', async () => {
    const [caller, { child, member }] = [await bed.start(), await bed.child()];
    await caller.registry.view.use('payments');
    await bed.sees(caller, [member]);
    child.process.kill('SIGSTOP');
    await bed.sees(caller, []);
    const replaced = await bed.serve(caller, { methods: OTHER });
    child.process.kill('SIGCONT');
    await bed.sees(caller, [replaced.instance.member]);
    await replaced.unregister();
    await bed.sees(caller, [member]);
  });
});

describe('the conflicts of a view', () => {
  it('name the instances of a service and version that do not agree', async () => {
    const [one, caller] = [await bed.start(), await bed.start()];
    const first = (await bed.serve(one)).instance;
    await bed.serve(one, { version: '2', methods: OTHER });
    await caller.registry.view.use('payments');
    expect(caller.registry.view.conflicts()).toEqual([]);
    // An older process did not look.
    const second = await one.presence.join();
    const { instances, state } = registryKeys(bed.prefix);
    const text = String(await bed.command('HGET', instances, `payments:1:${first.member}`)).replaceAll(first.member, second);
    await bed.command('HSET', instances, `payments:1:${second}`, text.replace('"d2"', '"d3"'));
    await bed.command('HINCRBY', state, 'version', 1);
    await bed.serve(one, { version: '3' });
    const found = await waitFor(() => caller.registry.view.conflicts()[0], { what: 'the conflict' });
    expect([found.service, found.version]).toEqual(['payments', '1']);
    expect(found.groups.map(({ members }) => members).sort()).toEqual([[first.member], [second]].sort());
    expect(found.groups.map(({ methods }) => methods.get('refund')!.digest).sort()).toEqual(['d2', 'd3']);
  });
});
