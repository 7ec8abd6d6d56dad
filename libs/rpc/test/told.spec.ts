import { describe, expect, it } from '@jest/globals';
import { type EndedCall, listen } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { call, failureOf, RpcGround, serve, SERVICE } from './rpc-ground.js';

describe('observers of calls are told', () => {
  const ground = new RpcGround('told');

  it('about each call by both sides, once, with the code of its error', async () => {
    const [called, served]: [EndedCall[], EndedCall[]] = [[], []];
    const stops = [listen('called', (event) => called.push(event)), listen('served', (event) => served.push(event))];
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { price: async () => '1', fail: () => Promise.reject(new Error('broken')) });
    for (let count = 0; count < 3; count += 1) await call(caller, 'price');
    await failureOf(call(caller, 'fail'));
    await failureOf(call(caller, 'unknown'));
    await failureOf(call(caller, 'price', { timeoutMs: 0 }));
    await waitFor(() => served.length === 4, { what: 'the methods to end' });
    for (const stop of stops) stop();
    const codes = (events: readonly EndedCall[]): string[] => events.map(({ method, code }) => `${method} ${code}`).sort();
    expect(codes(called)).toEqual(['fail REMOTE_FAILED', 'price CALL_TIMEOUT', 'price null', 'price null', 'price null', 'unknown UNKNOWN_METHOD']);
    expect(codes(served)).toEqual(['fail REMOTE_FAILED', 'price null', 'price null', 'price null']);
    for (const event of [...called, ...served]) expect(event).toMatchObject({ ...SERVICE, durationMs: expect.any(Number) });
  });
});
