import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { expectNoChildren, isRunning, startTestRedis, type TestRedis, type TestRedisOptions } from '@millrace/testing';

const opened: { stop: () => Promise<void> | void }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.stop();
  await expectNoChildren();
});

async function start(options?: TestRedisOptions): Promise<TestRedis> {
  const redis = await startTestRedis(options);
  opened.push(redis);
  return redis;
}

async function connect(redis: TestRedis): Promise<StandaloneTopology> {
  const connections = await connectServer({ url: redis.url });
  opened.push({ stop: () => connections.close() });
  return connections;
}

describe('a Redis for a test', () => {
  it('answers at its url, with the arguments that were asked for', async () => {
    const redis = await start({ maxmemory: '10mb', extra: ['--hz', '50'] });
    const { control } = await connect(redis);
    expect(redis.url).toBe(`redis://127.0.0.1:${redis.port}`);
    expect(await control.call('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '10485760']);
    expect(await control.call('CONFIG', 'GET', 'hz')).toEqual(['hz', '50']);
    expect(String(await control.call('INFO', 'server'))).toContain(`process_id:${redis.pid}`);
  });

  it('forgets all when it crashes without an append-only file, and keeps it with one', async () => {
    for (const [appendonly, kept] of [['no', null], ['everysec', 'value'], ['always', 'value']] as const) {
      const redis = await start({ appendonly });
      await (await connect(redis)).control.call('SET', 'name', 'value');
      await redis.kill();
      await redis.restart();
      expect(await (await connect(redis)).control.call('GET', 'name')).toBe(kept);
    }
  });

  it('is gone after kill, and again after restart as another process', async () => {
    const redis = await start();
    const before = redis.pid;
    await redis.restart();
    expect(await isRunning(before)).toBe(false);
    await redis.kill();
    expect(await isRunning(redis.pid)).toBe(false);
    expect(redis.pid).not.toBe(before);
  });

  it('answers nothing while it is paused', async () => {
    const redis = await start();
    const { control } = await connect(redis);
    redis.pause();
    await expect(control.call('PING')).rejects.toMatchObject({ kind: 'indeterminate' });
    redis.resume();
    expect(await (await connect(redis)).control.call('PING')).toBe('PONG');
  });

  it('refuses to pause a server that does not run', async () => {
    const redis = await start();
    await redis.kill();
    expect(() => redis.pause()).toThrow(/does not run/);
  });

  it('leaves nothing after stop, which may be called again, after a crash too', async () => {
    const redis = await start({ appendonly: 'always' });
    await redis.kill();
    await redis.stop();
    await redis.stop();
    expect(existsSync(redis.folder)).toBe(false);
  });

  it('starts many at once, each for itself', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => start()));
    expect(new Set(all.map(({ port }) => port)).size).toBe(8);
    expect(new Set(all.map(({ pid }) => pid)).size).toBe(8);
  });
});
