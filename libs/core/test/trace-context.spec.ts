import { describe, expect, it } from '@jest/globals';
import { currentTrace, type OutgoingMessage, Publisher, traceOf, Topic, withTraceContext } from '@millrace/core';

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const tracestate = 'vendor=a,other=b';

@Topic('traced')
class Traced {}

const given = { traceparent, tracestate };

async function headersOf(headers: Record<string, string> | undefined, trace: object = given): Promise<unknown> {
  const sent: OutgoingMessage[] = [];
  const publisher = new Publisher({
    publish: async (_, message) => {
      sent.push(message);
      return { id: message.id, partition: 0, offset: 0, duplicate: false };
    },
  });
  await withTraceContext(trace, () => publisher.publish(Traced, {}, { headers }));
  return sent[0]!.headers;
}

describe('a trace', () => {
  it('is added to what is published in it', async () => {
    expect(await headersOf(undefined)).toEqual({ traceparent, tracestate });
    expect(await headersOf({ a: 'b' }, { traceparent })).toEqual({ a: 'b', traceparent });
  });

  it('brings its baggage with it, of its own where the message names none, and within bounds', async () => {
    const carried = { ...given, baggage: 'tenant=a,user=b' };
    expect(await headersOf(undefined, carried)).toEqual(carried);
    expect(await headersOf({ baggage: 'mine=1' }, carried)).toEqual({ ...given, baggage: 'mine=1' });
    expect(await headersOf(undefined, { ...given, baggage: 'x'.repeat(8_192) })).toHaveProperty('baggage');
    for (const baggage of ['', 'a\nb', 'é=1', 'x'.repeat(8_193)]) expect(await headersOf(undefined, { ...given, baggage })).toEqual(given);
    expect(await headersOf(undefined, { baggage: 'tenant=a' })).toEqual({});
    const many = Object.fromEntries(Array.from({ length: 62 }, (_, index) => [`h${index}`, 'x']));
    expect(await headersOf(many, carried)).toEqual({ ...many, ...given });
  });

  it('is not added where the caller names one', async () => {
    const own = { traceparent: traceparent.replace('01', '00') };
    expect(await headersOf(own)).toEqual(own);
  });

  it('brings its own state with it', async () => {
    expect(await headersOf({ tracestate: 'mine' }, { traceparent })).toEqual({ traceparent });
  });

  it('does not keep a message with as many headers as there may be from being published', async () => {
    const many = Object.fromEntries(Array.from({ length: 63 }, (_, index) => [`h${index}`, 'x']));
    expect(await headersOf(many)).toEqual(many);
  });

  it('ends with its work', () => {
    withTraceContext({ traceparent }, () => expect(currentTrace()).toEqual({ traceparent, tracestate: null }));
    expect(currentTrace()).toBeNull();
  });

  it.each([
    undefined, '', 'x', traceparent.toUpperCase(), `${traceparent} `, `${traceparent}-more`, traceparent.replace('00-', '01-'), traceparent.replace('00-', 'ff-'),
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`, `${traceparent}\n`,
  ])('is not %p', async (wrong) => {
    expect(traceOf({ traceparent: wrong })).toBeNull();
    expect(await headersOf(undefined, { traceparent: wrong, tracestate })).toEqual({});
  });

  it.each(['', 'a\nb', 'ü', 'x'.repeat(513)])('goes without the state %p', async (wrong) => {
    expect(await headersOf(undefined, { traceparent, tracestate: wrong })).toEqual({ traceparent });
  });
});
