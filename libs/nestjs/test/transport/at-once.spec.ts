import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { type ClientProxy, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { MillraceModule } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { interval, lastValueFrom, type Observable, type Subscription } from 'rxjs';
import { Journal } from '../fixture.js';
import { TransportBench } from './fixture.js';

let bench: TransportBench;
const open: Subscription[] = [];
beforeAll(async () => void (bench = await TransportBench.start()));
beforeEach(() => bench.begin());
afterEach(async () => {
  for (const each of open.splice(0)) each.unsubscribe();
  await bench.closeAll();
});
afterAll(() => bench.stop());

/** Each of its requests asks its own service for another one. */
function nested(): { readonly controller: new () => object; readonly client: ClientProxy } {
  const client = bench.client();
  @Controller()
  class Outer {
    @MessagePattern('outer')
    outer(@Payload() value: number): Observable<number> {
      return client.send<number>('inner', value);
    }

    @MessagePattern('inner')
    inner(@Payload() value: number): number {
      return value + 1;
    }

    @MessagePattern('feed')
    feed(): Observable<number> {
      return interval(1);
    }

    @MessagePattern('refused')
    refused(): never {
      throw new RpcException('not today');
    }

    @MessagePattern('broken')
    broken(): bigint {
      return 1n;
    }
  }
  return { controller: Outer, client };
}

it('a hundred requests at once that each wait for another one of the same service are answered, beside as many open streams', async () => {
  const { controller, client } = nested();
  await bench.listening([controller]);
  const feeds = Array.from({ length: 100 }, () => client.send<number>('feed', {}));
  const began = feeds.map((feed) => new Promise<void>((resolve) => open.push(feed.subscribe(() => resolve()))));
  await Promise.all(began);
  const values = Array.from({ length: 100 }, (_, value) => value);
  const answers = await Promise.all(values.map((value) => lastValueFrom(client.send<number>('outer', value))));
  expect(answers).toEqual(values.map((value) => value + 1));
});

it('requests beyond requestConcurrency wait until others have ended', async () => {
  const { controller, client } = nested();
  await bench.listening([controller], { requestConcurrency: 1 });
  const ticks = new Journal<number>();
  open.push(client.send<number>('feed', {}).subscribe((tick) => ticks.add(tick)));
  await ticks.has(1);
  let isAnswered = false;
  const inner = lastValueFrom(client.send<number>('inner', 1)).then(() => (isAnswered = true));
  await ticks.has(ticks.entries.length + 50);
  expect(isAnswered).toBe(false);
  open[0]!.unsubscribe();
  await inner;
});

it('the log has no line of a failure that a filter of Nest expects or has logged, and one for an answer that is no JSON', async () => {
  const { controller, client } = nested();
  const app = await bench.microservice({ controllers: [controller], imports: [MillraceModule.forRoot({ ...bench.place, handlers: 'none' })] });
  const lines: string[] = [];
  const add = (line: string): void => void lines.push(line);
  app.useLogger({ log: () => undefined, warn: add, error: add });
  await app.listen();
  await expect(lastValueFrom(client.send('refused', {}))).rejects.toMatchObject({ message: 'not today' });
  await expect(lastValueFrom(client.send('broken', {}))).rejects.toMatchObject({ message: 'Internal server error' });
  await waitFor(() => lines.length > 0, { what: 'a line' });
  app.useLogger(false);
  expect(lines).toEqual([expect.stringMatching(/method handle failed .*BigInt/)]);
});
