import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { waitFor } from '@millrace/testing';
import { firstValueFrom } from 'rxjs';
import { Journal } from '../fixture.js';
import { EventPattern, moduleOf, TransportBench } from './fixture.js';

let bench: TransportBench;
let journal: Journal<unknown>;
beforeAll(async () => void (bench = await TransportBench.start({ appendonly: 'always' })));
beforeEach(() => {
  bench.begin();
  journal = new Journal();
});
afterEach(() => bench.closeAll());
afterAll(() => bench.stop());

@Controller()
class Orders {
  @MessagePattern('price')
  price(@Payload() of: string) {
    return `price of ${of}`;
  }

  @EventPattern('order.placed')
  placed(@Payload() data: unknown) {
    journal.add(data);
  }
}

describe('an outage of Redis', () => {
  it('is told by the status and the events of client and server, and both go on after it', async () => {
    const server = bench.server();
    const type = moduleOf({ controllers: [Orders] });
    const app = bench.keep(await NestFactory.createMicroservice(type, { strategy: server, logger: false }));
    const client = bench.client();
    const sides = { server, client };
    const told: Record<keyof typeof sides, string[]> = { server: [], client: [] };
    const errors: Record<keyof typeof sides, Error[]> = { server: [], client: [] };
    for (const side of ['server', 'client'] as const) {
      sides[side].status.subscribe((status) => void told[side].push(status));
      sides[side].on('error', (error) => void errors[side].push(error));
    }
    await app.listen();
    expect(await firstValueFrom(client.send('price', 'tea'))).toBe('price of tea');
    expect(told).toEqual({ server: ['connected'], client: ['connected'] });

    await bench.redis.kill();
    await waitFor(() => told.server.length > 1 && told.client.length > 1, { what: 'both to be disconnected' });
    // A reset may come before it.
    const isRefused = ({ message }: Error): boolean => message.includes('ECONNREFUSED');
    await waitFor(() => errors.server.some(isRefused) && errors.client.some(isRefused), { what: 'both to tell that Redis refuses' });
    const asked = firstValueFrom(client.send('price', 'milk'));
    const placed = firstValueFrom(client.emit('order.placed', 'during'));

    await bench.redis.restart();
    await waitFor(() => told.server.length > 2 && told.client.length > 2, { what: 'both to be connected again' });
    expect(told).toEqual({ server: ['connected', 'disconnected', 'connected'], client: ['connected', 'disconnected', 'connected'] });
    expect(await asked).toBe('price of milk');
    await placed;
    expect(await journal.has(1)).toEqual(['during']);
    expect(await firstValueFrom(client.send('price', 'salt'))).toBe('price of salt');
  });
});
