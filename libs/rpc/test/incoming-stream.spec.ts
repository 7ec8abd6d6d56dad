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
});
