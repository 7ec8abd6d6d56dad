import { describe, expect, it } from '@jest/globals';
import { IncomingStream } from '../src/call/incoming-stream.js';

describe('the consumer of a streamed answer', () => {
  it('may lack a grant only behind the last item of an earlier one', async () => {
    const granted: number[] = [];
    const stream = new IncomingStream(4, { begin: () => undefined, grant: (upTo) => granted.push(upTo), close: () => undefined });
    const lacking: number[] = [];
    for (let number = 1; number <= 12; number += 1) {
      const next = stream.next();
      if (stream.isStarving) lacking.push(number);
      stream.item(number, `${number}`);
      await next;
      expect(stream.isStarving).toBe(false);
    }
    expect(granted).toEqual([6, 8, 10, 12, 14, 16]);
    // Its source may have heard of none of them and stand still behind 4 items, or of the first alone, and so on.
    expect(lacking).toEqual([5, 7, 9, 11]);
    void stream.return();
  });

  it('may lack a grant as well when it is a sink, which always waits', () => {
    const stream = new IncomingStream(4, { begin: () => undefined, grant: () => undefined, close: () => undefined });
    const lacking: number[] = [];
    const leave = stream.pour({ item: () => undefined, end: () => undefined });
    for (let number = 1; number <= 8; number += 1) {
      if (stream.isStarving) lacking.push(number);
      stream.item(number, `${number}`);
    }
    expect(lacking).toEqual([5, 7]);
    leave();
  });

  it('gets an only item, and the end, and may leave while it takes it', () => {
    const told: string[] = [];
    const source = { begin: () => undefined, grant: () => undefined, close: () => void told.push('closed') };
    const stays = new IncomingStream(4, source);
    stays.pour({ item: (text) => void told.push(text), end: (error) => void told.push(`end ${String(error)}`) });
    stays.only('1');
    stays.only('2');
    const leaves = new IncomingStream(4, source);
    const leave = leaves.pour({
      item: (text) => {
        told.push(text);
        leave();
      },
      end: () => void told.push('end'),
    });
    leaves.only('3');
    expect(told).toEqual(['1', 'end null', '3']);
  });
});
