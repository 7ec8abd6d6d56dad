import { describe, expect, it } from '@jest/globals';
import { registryKeys } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { removeInstance } from '../../src/registry/change-instance.js';
import { RegistryBed } from './registry-bed.js';

const LEASE_MS = 1_500;
const bed = new RegistryBed('departed', LEASE_MS);

describe('an instance whose process', () => {
  it('is killed vanishes from the view of a caller and from Redis, and no other one does', async () => {
    const [caller, server, { child, member }] = [await bed.start(), await bed.start(), await bed.child()];
    const { instance } = await bed.serve(server);
    await caller.registry.view.use('payments');
    await bed.sees(caller, [member, instance.member]);
    let others = 0;
    caller.registry.view.watch('payments', (instances) => (others += instances.some((each) => each.member === instance.member) ? 0 : 1));
    const killedAtMs = performance.now();
    await child.kill();
    await bed.sees(caller, [instance.member]);
    console.log(`lease_ms=${LEASE_MS} gone_ms=${Math.round(performance.now() - killedAtMs)}`);
    await waitFor(async () => (await bed.stored()).length === 1, { what: 'the entry to be removed' });
    expect([await bed.stored(), others]).toEqual([[instance.member], 0]);
  });

  it('is killed is removed by another instance where nobody calls it', async () => {
    const [server, { child }] = [await bed.start(), await bed.child()];
    const { instance } = await bed.serve(server);
    await child.kill();
    await waitFor(async () => (await bed.stored()).length === 1, { what: 'the entry to be removed', timeoutMs: 20_000 });
    expect(await bed.stored()).toEqual([instance.member]);
  });

  it('is frozen vanishes, and registers again when it goes on', async () => {
    const [caller, { child, member }] = [await bed.start(), await bed.child()];
    await caller.registry.view.use('payments');
    await bed.sees(caller, [member]);
    child.process.kill('SIGSTOP');
    await bed.sees(caller, []);
    await waitFor(async () => (await bed.stored()).length === 0, { what: 'the entry to be removed' });
    child.process.kill('SIGCONT');
    await bed.sees(caller, [member]);
    expect(await bed.stored()).toEqual([member]);
  });

  it('lives is there after many leases', async () => {
    const [caller, { member }] = [await bed.start({ pollMs: 200 }), await bed.child()];
    await caller.registry.view.use('payments');
    await bed.sees(caller, [member]);
    const [untilMs, version] = [performance.now() + 4 * LEASE_MS, await bed.version()];
    const isThere = (): boolean => {
      if (caller.registry.view.instances({ service: 'payments' }).length !== 1) throw new Error('it was gone');
      return performance.now() > untilMs;
    };
    await waitFor(isThere, { what: 'four leases to pass', timeoutMs: 10 * LEASE_MS });
    expect(await bed.version()).toBe(version);
  });

  it('has stopped without a word to the registry is removed by who watches it', async () => {
    const [caller, server] = [await bed.start(), await bed.start()];
    const { instance } = await bed.serve(server);
    await caller.registry.view.use('payments');
    await bed.sees(caller, [instance.member]);
    // Presence alone says so: the registry of the server does not know.
    await server.presence.left(instance.member);
    await bed.sees(caller, []);
    await waitFor(async () => (await bed.stored()).length === 0, { what: 'the entry to be removed' });
  });

  it('was taken for dead stays, when it has said something new since', async () => {
    const server = await bed.start();
    const registration = await bed.serve(server);
    const keys = registryKeys(bed.prefix);
    const field = `payments:1:${registration.instance.member}`;
    const text = String(await bed.command('HGET', keys.instances, field));
    await registration.update({ weight: 2 });
    const place = { keys, connection: (await bed.peer()).redis.control };
    const version = await bed.version();
    await removeInstance(place, { field, text });
    expect([await bed.stored(), await bed.version()]).toEqual([[registration.instance.member], version]);
  });

  it('is many: each serving process removes those behind it', async () => {
    const server = await bed.start();
    const { instance } = await bed.serve(server);
    const children = await Promise.all([bed.child(), bed.child(), bed.child(), bed.child()]);
    await waitFor(async () => (await bed.stored()).length === 5, { what: 'all of them' });
    await Promise.all(children.map(({ child }) => child.kill()));
    await waitFor(async () => (await bed.stored()).length === 1, { what: 'the entries to be removed', timeoutMs: 30_000 });
    expect(await bed.stored()).toEqual([instance.member]);
  });
});
