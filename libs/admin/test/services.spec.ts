import { afterEach, describe, expect, it } from '@jest/globals';
import { type Admin, createAdmin } from '@millrace/admin';
import { connectServer } from '@millrace/redis';
import { createRpc, type Rpc, type ServiceDefinition } from '@millrace/rpc';
import { createStreams } from '@millrace/streams';
import { AdminBed } from './admin-bed.js';

const bed = new AdminBed('services');
let stop: () => Promise<void> = async () => undefined;
afterEach(() => stop());

async function operator(): Promise<{ admin: Admin; rpc: Rpc }> {
  const redis = await connectServer({ url: bed.server.url });
  const streams = createStreams({ redis, prefix: bed.prefix, leaseMs: 600 });
  const rpc = createRpc({ redis, prefix: bed.prefix, presence: streams.presence });
  stop = async () => {
    await rpc.stop(500);
    await streams.stop(500);
    redis.close();
  };
  return { admin: createAdmin({ redis, prefix: bed.prefix, streams, rpc }), rpc };
}

function definition(service: string, version: string): ServiceDefinition {
  const hello = { idempotent: true, timeoutMs: 1_000, digest: 'd', handle: async () => '"hello"' };
  return { service, version, concurrency: 2, methods: new Map([['hello', hello]]) };
}

describe('services', () => {
  it('are listed with their versions and instances, and the calls of this process', async () => {
    const { admin, rpc } = await operator();
    await rpc.serve(definition('payments', '1'));
    await rpc.serve(definition('payments', '2'));
    await rpc.serve(definition('stock', '1'));
    const first = await admin.services!.list({ limit: 1 });
    expect(first).toMatchObject({ complete: false, items: [{ service: 'payments', version: '1', instances: 1, draining: 0, methods: ['hello'], isConflicting: false }, { version: '2' }] });
    expect(await admin.services!.list({ limit: 1, cursor: first.nextCursor! })).toMatchObject({ complete: true, items: [{ service: 'stock' }] });
    const page = await admin.services!.instances({ limit: 2 });
    expect(page).toMatchObject({ complete: false, items: [{ service: 'payments', pid: process.pid, state: 'present', heardMs: expect.any(Number), startedAt: expect.any(Date) }, {}] });
    expect(await admin.services!.instances({ limit: 2, cursor: page.nextCursor! })).toMatchObject({ complete: true, items: [{ service: 'stock' }] });
    expect((await admin.services!.instances({ service: 'stock' })).items).toHaveLength(1);
    await expect(admin.services!.instances({ service: 'a b' })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(admin.services!.calls()).toEqual([]);
  });

  it('are not there in a process without a registry, nor are jobs in one without queues', () => {
    expect(bed.admin.services).toBeNull();
    expect(bed.admin.jobs).toBeNull();
  });
});
