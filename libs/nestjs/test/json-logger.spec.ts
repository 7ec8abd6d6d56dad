import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger } from '@nestjs/common';
import { withTraceContext } from '@millrace/core';
import { JsonLogger, Publisher, Subscribe } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { atOnce, Bench, OrderPlaced } from './fixture.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

@Injectable()
class Handlers {
  @Subscribe(OrderPlaced, { group: 'inventory', retry: { ...atOnce, attempts: 2 } })
  fails(): void {
    throw new Error('no such order: \u001b[31m');
  }
}

/** The documents that are written to standard output and standard error meanwhile. */
async function linesOf(work: (lines: readonly Record<string, unknown>[]) => Promise<void>): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = [];
  const write = (text: unknown): boolean => lines.push(JSON.parse(String(text)) as Record<string, unknown>) > 0;
  const spies = [process.stdout, process.stderr].map((stream) => jest.spyOn(stream, 'write').mockImplementation(write));
  try {
    await work(lines);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return lines;
}

describe('logs in JSON', () => {
  it('have the parts of a failed attempt beside its line, and no others have them', async () => {
    const app = await bench.start(bench.builder({ providers: [Handlers] }), new JsonLogger());
    let id = '';
    const lines = await linesOf(async (written) => {
      const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`;
      ({ id } = await withTraceContext({ traceparent }, () => app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 })));
      await waitFor(() => written.length === 2, { what: 'both attempts to fail' });
      new Logger('Mine').log('another line');
    });
    const place = { topic: 'shop.orders.placed', group: 'inventory', partition: 0, messageId: id, traceId: TRACE, errorCode: 'Error' };
    expect(lines).toMatchObject([
      { ...place, level: 'warn', context: 'Millrace', attempt: 1, outcome: 'retry', delayMs: 1 },
      { ...place, level: 'error', context: 'Millrace', attempt: 2, outcome: 'dead-letter' },
      { level: 'log', context: 'Mine', message: 'another line' },
    ]);
    expect(lines[0]?.['message']).toContain('no such order: \\u001b[31m');
    expect(lines[2]).not.toHaveProperty('topic');
  });
});
