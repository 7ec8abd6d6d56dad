import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';

/** The platforms of HTTP that an application of ours may run on. */
export const PLATFORMS: [string, () => AbstractHttpAdapter][] = [
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
];

export interface Running {
  readonly app: INestApplication;
  readonly url: string;
}

/** An HTTP application on a free port; whoever starts it closes it. */
export async function serve(
  metadata: ModuleMetadata,
  adapter: AbstractHttpAdapter,
  setUp: (app: INestApplication) => unknown = () => undefined,
): Promise<Running> {
  const module = await Test.createTestingModule(metadata).compile();
  const app = module.createNestApplication(adapter);
  app.useLogger(false);
  setUp(app);
  await app.listen(0, '127.0.0.1');
  return { app, url: `http://127.0.0.1:${((app.getHttpServer() as Server).address() as AddressInfo).port}` };
}
