import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from '@jest/globals';
import { emit, errorRecord, listen } from '@millrace/core';

describe('events', () => {
  const lost = { name: 'millrace:control', state: 'lost' } as const;

  it('reach every listener, until it stops listening', () => {
    const heard: unknown[] = [];
    const stops = [listen('connection', (event) => heard.push(['a', event])), listen('connection', (event) => heard.push(['b', event]))];
    emit('connection', lost);
    stops[0]?.();
    emit('connection', lost);
    stops[0]?.();
    stops[1]?.();
    emit('connection', lost);
    expect(heard).toEqual([['a', lost], ['b', lost], ['b', lost]]);
  });

  it('are plain data on a diagnostics channel of their name', () => {
    const heard: unknown[] = [];
    const listener = (event: unknown): unknown => heard.push(JSON.parse(JSON.stringify(event)));
    subscribe('millrace:loop-failed', listener);
    const event = { loop: 'fetch', failures: 1, error: errorRecord(new Error('x')) };
    emit('loop-failed', event);
    unsubscribe('millrace:loop-failed', listener);
    expect(heard).toEqual([event]);
  });

  it('go nowhere, at no risk, when nobody listens', () => {
    expect(() => emit('fenced', { messageId: 'x' })).not.toThrow();
  });
});
