import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, type INestMicroservice, Param, Post, RequestTimeoutException } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type ClientProxy, ClientProxyFactory, MessagePattern, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import { connectServer } from '@millrace/redis';
import { freePort, waitFor } from '@millrace/testing';
import { MillraceClient, MillraceServer } from '@millrace/nestjs';
import { catchError, from, lastValueFrom, type Observable, throwError, toArray } from 'rxjs';
import { Journal } from '../../fixture.js';
import { EventPattern, moduleOf } from '../fixture.js';
import { NUMBERS } from './adder.js';
import { posted, ScenarioBench } from './scenario-bench.js';

let handled: Journal;

@Controller()
class Handlers {
  @MessagePattern('each')
  each(@Payload() numbers: number[]) {
    handled.add('request');
    return from(numbers);
  }

  @EventPattern('told')
  hear() {
    handled.add('event');
  }
}

/** A route that asks at a place where no Redis is, and looks at the codes of Nest's own clients. */
@Controller()
class Routes {
  @Post('ask-at/:port')
  askAt(@Param('port') port: string): Observable<unknown> {
    const options = { redis: `redis://127.0.0.1:${port}`, service: 'adder' };
    const away = ClientProxyFactory.create({ customClass: MillraceClient, options });
    return away.send('each', NUMBERS).pipe(
      catchError((error: { code?: string }) => {
        const isAway = ['CONN_ERR', 'ECONNREFUSED'].includes(error.code ?? '');
        return throwError(() => (isAway ? new RequestTimeoutException() : error));
      }),
    );
  }
}

let bench: ScenarioBench;
let client: ClientProxy;
beforeEach(async () => {
  bench = await ScenarioBench.start();
  handled = new Journal();
  client = bench.keep(ClientProxyFactory.create({ customClass: MillraceClient, options: { service: 'adder' } }));
});
afterEach(() => bench.stop());

async function listening(): Promise<INestMicroservice> {
  const options = { strategy: new MillraceServer({ service: 'adder' }), logger: false as const };
  const type = moduleOf({ controllers: [Handlers] });
  const app = bench.keep(await NestFactory.createMicroservice<MicroserviceOptions>(type, options));
  await app.listen();
  return app;
}

function streamed(): Promise<number[]> {
  return lastValueFrom(client.send<number>('each', NUMBERS).pipe(toArray()));
}

describe('a client whose server is away', () => {
  it('fails with a code that tells it, and the route answers 408', async () => {
    const app = bench.keep(await NestFactory.create(moduleOf({ controllers: [Routes] }), { logger: false }));
    await app.listen(0, '127.0.0.1');
    expect(await posted(app, `ask-at/${await freePort()}`)).toMatchObject({ status: 408 });
  });
});

describe('a client that was closed', () => {
  it('gets whole streams when it has connected again', async () => {
    await listening();
    await client.connect();
    await client.close();
    await client.connect();
    expect(await streamed()).toEqual(NUMBERS);
  });

  it('gets whole streams when it was closed while it connected, and connects again', async () => {
    await listening();
    const given = client.connect().then(() => 'connected', (error: unknown) => (error as { code?: string }).code);
    await client.close();
    await client.connect();
    expect(await streamed()).toEqual(NUMBERS);
    expect(await given).toBe('CLOSED');
  });
});

describe('a server that was closed', () => {
  it('has left no connection behind', async () => {
    const own = await connectServer({ url: bench.redis.url, name: 'observer' });
    const connections = async (): Promise<string[]> => {
      const list = String(await own.control.call('CLIENT', 'LIST', 'TYPE', 'NORMAL')).trim().split('\n');
      return list.filter((line) => !line.includes(' name=observer:'));
    };
    const app = await listening();
    expect(await connections()).not.toEqual([]);
    await app.close();
    await waitFor(async () => (await connections()).length === 0, { what: 'every connection of the server to be closed' });
    own.close();
  });

  it('runs no handler any more, for requests and for events', async () => {
    const app = await listening();
    await streamed();
    await app.close();
    await expect(streamed()).rejects.toMatchObject({ code: 'NO_INSTANCE' });
    await lastValueFrom(client.emit('told', {}));
    expect(handled.entries).toEqual(['request']);
  });
});
