import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { connectServer } from '@millrace/redis';
import { Surroundings } from '../surroundings.js';

let around: Surroundings;
let app: INestApplicationContext;

beforeAll(async () => {
  around = await Surroundings.of('docs/guides/redis-connection.md');
  process.env['CACHE_PORT'] = String(around.redis.port);
  const { ShopModule } = await around.examples.load<{ ShopModule: Type }>('shop.module.ts');
  app = await NestFactory.createApplicationContext(ShopModule, { logger: false, abortOnError: false });
}, 120_000);

afterAll(async () => {
  await app.close();
  await around.stop();
});

describe('the shop of the guide', () => {
  it('is connected to the Redis that the options of ioredis name', async () => {
    const topology = await connectServer({ url: around.redis.url, name: 'spec' });
    const clients = String(await topology.control.call('CLIENT', 'LIST'));
    topology.close();
    const names = [...clients.matchAll(/ name=(\S+)/g)].map(([, name]) => name!).filter((name) => !name.startsWith('spec:'));
    expect(names).toEqual(expect.arrayContaining([expect.stringMatching(/:publish$/), expect.stringMatching(/:control$/)]));
  });

  it('leaves nothing of the examples that was not run', () => {
    expect(around.examples.notRun()).toEqual([]);
  });
});
