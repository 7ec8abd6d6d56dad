import { describe, expect, it } from '@jest/globals';
import { CliBed, rowsOf } from './cli-bed.js';

const bed = new CliBed('services');

async function serve(service: string): Promise<void> {
  const charge = { idempotent: true, timeoutMs: 1_000, digest: 'd', handle: () => Promise.resolve('null') };
  await bed.rpc.serve({ service, version: '1.0.0', concurrency: 2, methods: new Map([['charge', charge]]) });
}

describe('millrace services', () => {
  it('lists services, and shows one with its instances', async () => {
    await serve('payments');
    expect(rowsOf((await bed.run(['services', 'ls'])).stdout)).toEqual([
      { SERVICE: 'payments', VERSION: '1.0.0', INSTANCES: '1', DRAINING: '0', CONFLICT: 'no', METHODS: 'charge' },
    ]);
    const { stdout } = await bed.run(['services', 'info', 'payments']);
    expect(rowsOf(stdout.split('Instances\n')[1]!)).toMatchObject([{ SERVICE: 'payments', STATE: 'present' }]);
    expect(await bed.json(['services', 'info', 'payments'])).toMatchObject({ service: 'payments', versions: [{ instances: 1 }], instances: [{ pid: process.pid }] });
    expect((await bed.run(['services', 'info', 'none'])).code).toBe(3);
  });

  it('lists instances', async () => {
    await serve('payments');
    await serve('stock');
    expect(rowsOf((await bed.run(['instances', 'ls'])).stdout).map(({ SERVICE }) => SERVICE)).toEqual(['payments', 'stock']);
    expect(rowsOf((await bed.run(['instances', 'ls', '--service', 'stock', '--raw'])).stdout)).toMatchObject([{ PID: `${process.pid}` }]);
  });
});
