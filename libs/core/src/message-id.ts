import { randomBytes } from 'node:crypto';

let lastMs = 0;
let counter = 0;
let prefix = '';

/** Random bytes are drawn so many at a time: eight of them cost half as much as these. */
const DRAWN = 4_096;
let drawn = Buffer.alloc(0);
let used = 0;

/**
 * A UUID of version 7 (RFC 9562): 48 bits of Unix milliseconds, then a random part drawn once a millisecond whose last 32
 * bits count up, so that the ids of one process sort in the order in which they were made.
 */
export function newMessageId(nowMs: number = Date.now()): string {
  if (nowMs > lastMs || counter >= 0xffff_ffff) startMillisecond(Math.max(nowMs, lastMs + 1));
  counter += 1;
  return prefix + counter.toString(16).padStart(8, '0');
}

function startMillisecond(ms: number): void {
  lastMs = ms;
  const time = ms.toString(16).padStart(12, '0');
  const a = (random16() & 0x0fff).toString(16).padStart(3, '0');
  const b = ((random16() & 0x3fff) | 0x8000).toString(16);
  const c = random16().toString(16).padStart(4, '0');
  // The counter starts anywhere in its lower half, so that two processes that share every other bit still differ.
  counter = random16() * 0x4000;
  prefix = `${time.slice(0, 8)}-${time.slice(8)}-7${a}-${b}-${c}`;
}

function random16(): number {
  if (used === drawn.length) [drawn, used] = [randomBytes(DRAWN), 0];
  used += 2;
  return drawn.readUInt16BE(used - 2);
}

/** The Unix milliseconds inside a message id. */
export function messageTimeMs(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
