import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, type INestMicroservice, type Type } from '@nestjs/common';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { waitFor } from '@millrace/testing';
import { firstValueFrom, from, interval, lastValueFrom, NEVER, Observable, take, toArray } from 'rxjs';
import { TransportBench } from './fixture.js';

let bench: TransportBench;
let torn = 0;
beforeAll(async () => void (bench = await TransportBench.start()));
beforeEach(() => {
  bench.begin();
  torn = 0;
});
afterEach(() => bench.closeAll());
afterAll(() => bench.stop());

function controllerOf(name: string): Type {
  @Controller()
  class Caches {
    @MessagePattern('size')
    size(@Payload() of: string) {
      return `${name} ${of}`;
    }

    @MessagePattern('keys')
    keys() {
      return from([`${name} a`, `${name} b`]);
    }

    @MessagePattern('clear')
    clear() {
      if (name === 'two') throw new RpcException({ code: 'BUSY' });
      return 'cleared';
    }

    @MessagePattern('slow')
    slow() {
      return name === 'two' ? NEVER : 'quick';
    }

    @MessagePattern('watch')
    watch() {
      return new Observable<number>((subscriber) => {
        const inner = interval(1).subscribe(subscriber);
        return () => {
          inner.unsubscribe();
          torn += 1;
        };
      });
    }
  }
  return Caches;
}

function two(): Promise<INestMicroservice[]> {
  return Promise.all(['one', 'two'].map((name) => bench.listening([controllerOf(name)])));
}

describe('a broadcast', () => {
  it('is answered by all instances of the service, each with its name', async () => {
    await two();
    const replies = await lastValueFrom(bench.client().broadcast<string>('size', 'kB').pipe(toArray()));
    expect(replies.map((reply) => 'value' in reply && reply.value).sort()).toEqual(['one kB', 'two kB']);
    expect(new Set(replies.map(({ instance }) => instance)).size).toBe(2);
  });

  it('gathers all values of streamed answers', async () => {
    await two();
    const replies = await lastValueFrom(bench.client().broadcast<string>('keys', {}).pipe(toArray()));
    expect(replies.map((reply) => 'value' in reply && reply.value).sort()).toEqual(['one a', 'one b', 'two a', 'two b']);
  });

  it('has the errors of those that fail beside the answers of the others', async () => {
    await two();
    const client = bench.client({ timeout: '500ms' });
    const cleared = await lastValueFrom(client.broadcast('clear', {}).pipe(toArray()));
    expect(cleared).toHaveLength(2);
    expect(cleared).toContainEqual({ instance: expect.any(String), value: 'cleared' });
    expect(cleared).toContainEqual({ instance: expect.any(String), error: { code: 'BUSY' } });
    const slow = await lastValueFrom(client.broadcast('slow', {}).pipe(toArray()));
    expect(slow).toContainEqual({ instance: expect.any(String), value: 'quick' });
    expect(slow).toContainEqual({ instance: expect.any(String), error: expect.objectContaining({ code: 'CALL_TIMEOUT' }) });
  });

  it('ends all handlers when it is unsubscribed', async () => {
    await two();
    expect(await lastValueFrom(bench.client().broadcast('watch', {}).pipe(take(10), toArray()))).toHaveLength(10);
    await waitFor(() => torn === 2, { what: 'both Observables to be left' });
  });

  it('leaves out an instance that was closed, and fails when there is none', async () => {
    const [one, other] = await two();
    const client = bench.client();
    await one!.close();
    expect(await lastValueFrom(client.broadcast('size', 'kB').pipe(toArray()))).toMatchObject([{ value: 'two kB' }]);
    await other!.close();
    await expect(firstValueFrom(client.broadcast('size', 'kB'))).rejects.toMatchObject({ code: 'NO_INSTANCE' });
    const nameless = bench.client({ service: undefined });
    await expect(firstValueFrom(nameless.broadcast('size', 'kB'))).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    await expect(firstValueFrom(client.broadcast('size', null))).rejects.toThrow('invalid data');
  });
});
