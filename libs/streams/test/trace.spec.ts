import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, fixed, Topic, withTraceContext } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { Bed } from './bed.js';
import { subscribe } from './fixture.js';
import { Single } from './topics.js';

@Topic('test.next')
class Next {
  @IsInt() value!: number;
}

const bed = new Bed('trace');
const traceOf = (value: number): string => `00-${String(value + 1).padStart(32, '0')}-00f067aa0ba902b7-01`;

describe('the trace of a message', () => {
  it('goes on from message to message, through retries, and beside other traces', async () => {
    const process = await bed.start();
    const traces = new Map<number, DeliveryContext['trace']>();
    const retry = { attempts: 2, backoff: fixed('1ms'), deadLetterOn: [] };
    await subscribe(process, { topic: Single, group: 'first', retry }, async ({ value }: { value: number }, { attempt }: DeliveryContext) => {
      await new Promise(setImmediate);
      if (attempt === 1) throw new Error('as planned');
      await process.publisher.publish(Next, { value });
    });
    await subscribe(process, { topic: Next, group: 'second' }, async ({ value }: { value: number }, { trace }: DeliveryContext) => void traces.set(value, trace));
    for (const value of [0, 1, 2]) {
      await withTraceContext({ traceparent: traceOf(value), tracestate: `a=${value}` }, () => process.publisher.publish(Single, { value }));
    }
    await process.publisher.publish(Single, { value: 3 });
    await waitFor(() => traces.size === 4, { what: 'all to be handled' });
    for (const value of [0, 1, 2]) expect(traces.get(value)).toEqual({ traceparent: traceOf(value), tracestate: `a=${value}` });
    expect(traces.get(3)).toBeNull();
  });
});
