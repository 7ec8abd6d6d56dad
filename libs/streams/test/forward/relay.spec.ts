import { describe, expect, it } from '@jest/globals';
import { Bed } from '../bed.js';
import { relay } from './relay.js';

const SEED = 41;
const MESSAGES = Number(process.env.MILLRACE_FORWARDED ?? 1_500);

describe('Messages that handlers forward', () => {
  const bed = new Bed('relay');

  it('arrive once after four stages, though processes are killed and connections cut all the time', async () => {
    const figures = await relay(bed, { messages: MESSAGES, kills: 20, workers: 2, leaseMs: 500, seed: SEED });
    expect(figures).toEqual({ killed: 14, cut: 6, lost: [0, 0, 0], doubled: [0, 0, 0] });
  }, 240_000);
});
