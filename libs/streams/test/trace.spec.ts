import { describe, expect, it } from '@jest/globals';
import { currentTrace, deadLetterPipeline, type DeliveryContext, deliveryPipeline, fixed, Topic, topicOf, withTraceContext } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { Bed } from './bed.js';
import { noRetry, subscribe } from './fixture.js';
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

  it('is also that of the handler of its dead letter', async () => {
    const process = await bed.start();
    const traces: unknown[] = [];
    const parts = { topic: topicOf(Single), group: 'g', retry: noRetry };
    const deadLetterHandler = deadLetterPipeline({ ...parts, handle: async () => void traces.push(currentTrace()) });
    const handler = deliveryPipeline({ ...parts, handle: () => Promise.reject(new Error('as planned')) });
    await process.streams.subscribe({ topic: topicOf(Single), group: 'g', concurrency: 1, crashLimit: 10, deadLetterHandler }, handler);
    await withTraceContext({ traceparent: traceOf(0) }, () => process.publisher.publish(Single, { value: 0 }));
    await waitFor(() => traces.length === 1, { what: 'the dead letter to be told' });
    expect(traces).toEqual([{ traceparent: traceOf(0), tracestate: null }]);
  });
});
