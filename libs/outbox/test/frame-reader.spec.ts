import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FrameReader } from '../src/embedded/frame-reader.js';
import { query, startup, SYNC } from '../src/embedded/protocol.js';

const bodies = fc.array(fc.string({ maxLength: 40 }), { minLength: 1, maxLength: 8 });
const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 });

function framesOf(reader: FrameReader): Buffer[] {
  const frames: Buffer[] = [];
  for (let frame = reader.next(); frame; frame = reader.next()) frames.push(frame);
  return frames;
}

/** Pieces of these sizes, in turn, to the end. */
function* pieces(whole: Buffer, lengths: readonly number[]): Generator<Buffer> {
  for (let at = 0, turn = 0; at < whole.length; turn += 1) {
    const length = lengths[turn % lengths.length]!;
    yield whole.subarray(at, at + length);
    at += length;
  }
}

describe('a reader of frames', () => {
  it('finds the same frames however the bytes arrive', () => {
    fc.assert(
      fc.property(bodies, sizes, (texts, lengths) => {
        const frames = texts.map(query);
        const reader = new FrameReader();
        reader.typed = true;
        const found: Buffer[] = [];
        for (const piece of pieces(Buffer.concat(frames), lengths)) {
          reader.push(piece);
          found.push(...framesOf(reader));
        }
        expect(found).toEqual(frames);
      }),
    );
  });

  it('reads what follows the start-up with type bytes', () => {
    const reader = new FrameReader();
    reader.push(Buffer.concat([startup('someone'), SYNC]));
    expect(reader.next()).toEqual(startup('someone'));
    reader.typed = true;
    expect(reader.next()).toEqual(SYNC);
    expect(reader.next()).toBeNull();
  });

  it.each([-1, 0, 3, 64 * 1_024 * 1_024, 0x7fff_ffff])('gives up when a length of %s is announced', (length) => {
    const reader = new FrameReader();
    reader.typed = true;
    const header = Buffer.from('Q0000');
    header.writeInt32BE(length, 1);
    reader.push(header);
    expect(() => reader.next()).toThrow(RangeError);
  });
});
