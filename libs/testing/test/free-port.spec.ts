import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { holdPort, isPortFree } from '@millrace/redis';
import { freePort, startTestRedis, TcpProxy } from '@millrace/testing';

describe('freePort', () => {
  it('gives a port to listen on, below those of outgoing connections', async () => {
    const port = await freePort();
    expect(port).toBeGreaterThanOrEqual(20_000);
    expect(port).toBeLessThan(32_768);
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    await new Promise((resolve) => server.close(resolve));
  });

  it('gives no port that is held, until it is let go of', async () => {
    const port = await freePort();
    const letGo = await holdPort(port);
    expect(await isPortFree(port)).toBe(false);
    await letGo();
    expect(await isPortFree(port)).toBe(true);
  });

  it('gives no port of a proxy that refuses, or of a server that was killed, until they are stopped', async () => {
    const redis = await startTestRedis();
    const proxy = await TcpProxy.start(redis.url);
    await proxy.refuse();
    await redis.kill();
    for (const port of [proxy.port, redis.port]) {
      expect(await refusalAt(port)).toBe('ECONNREFUSED');
      expect(await isPortFree(port)).toBe(false);
    }
    await Promise.all([proxy.pass(), redis.restart()]);
    await Promise.all([proxy.stop(), redis.stop()]);
    for (const port of [proxy.port, redis.port]) expect(await isPortFree(port)).toBe(true);
  });
});

async function refusalAt(port: number): Promise<unknown> {
  const socket = connect(port, '127.0.0.1');
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  return error.code;
}
