import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { currentTrace, type TraceContext, withTraceContext } from '@millrace/core';
import type { JobContext } from '../src/index.js';
import { SendInvoice, SendMail } from './contracts.js';
import { handler, JobsFixture } from './jobs-fixture.js';

let fixture: JobsFixture;
beforeAll(async () => {
  fixture = await JobsFixture.start();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.stop());

const trace = { traceparent: `00-${'1'.repeat(32)}-00f067aa0ba902b7-01`, tracestate: 'vendor=1', baggage: 'tenant=a' };

describe('the trace of a job', () => {
  it('is that of its enqueue, in all attempts, and goes on to the jobs that its handler enqueues', async () => {
    const seen: (TraceContext | null)[] = [];
    const enqueued: string[] = [];
    const handle = async ({ to }: SendMail, { trace: own, attempt }: JobContext): Promise<void> => {
      seen.push(own, currentTrace());
      if (attempt === 1 && to === 'a') throw new Error('as planned');
      if (to === 'a') enqueued.push((await fixture.jobs.enqueue(SendMail, { to: 'next' })).id);
    };
    await fixture.worker([handler(SendMail, handle)]);
    const { id } = await withTraceContext(trace, () => fixture.jobs.enqueue(SendMail, { to: 'a' }));
    await fixture.finished('emails', id);
    await fixture.finished('emails', enqueued[0]!);
    expect(seen).toEqual(Array.from({ length: 6 }, () => trace));
  });

  it('is null for a job that was enqueued in none', async () => {
    const seen: (TraceContext | null)[] = [];
    await fixture.worker([handler(SendInvoice, (_, context) => void seen.push(context.trace, currentTrace()))]);
    const { id } = await fixture.jobs.enqueue(SendInvoice, { to: 'a' });
    await fixture.finished('emails', id);
    expect(seen).toEqual([null, null]);
  });
});
