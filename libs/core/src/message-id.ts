import { randomBytes } from 'node:crypto';

let lastMs = 0;
let counter = 0;
let prefix = '';

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
  const random = randomBytes(8);
  const a = (random.readUInt16BE(0) & 0x0fff).toString(16).padStart(3, '0');
  const b = ((random.readUInt16BE(2) & 0x3fff) | 0x8000).toString(16);
  const c = random.readUInt16BE(4).toString(16).padStart(4, '0');
  // The counter starts anywhere in its lower half, so that two processes that share every other bit still differ.
  counter = random.readUInt16BE(6) * 0x4000;
  prefix = `${time.slice(0, 8)}-${time.slice(8)}-7${a}-${b}-${c}`;
}

/** The Unix milliseconds inside a message id. */
export function messageTimeMs(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
