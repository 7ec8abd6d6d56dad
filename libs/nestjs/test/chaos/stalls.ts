import { say } from '@millrace/testing';

const LOOK_MS = 100;
const STALL_MS = 400;

/** Tells when the process stood still, as a busy machine lets it: it may lose its lease then. */
export function tellStalls(): void {
  let last = Date.now();
  setInterval(() => {
    const now = Date.now();
    if (now - last > STALL_MS) say('stalled', process.pid, last, now);
    last = now;
  }, LOOK_MS).unref();
}
