import { Injectable, Logger } from '@nestjs/common';
import { type EventMap, listen } from '@millrace/core';
import { attemptLine, backoffLine, connectionLine, fencedLine, loopLine, lostLine, noticeLine, reclaimedLine, recreatedLine, resultLine } from './event-lines.js';

/** Events are the process's: however many applications run in it, one of them writes. */
const holders = new Set<EventLog>();
let stopWriting: (() => void) | null = null;

/** Writes one line for each failed attempt and each recovery, and none for what goes well. */
@Injectable()
export class EventLog {
  start(): void {
    holders.add(this);
    stopWriting ??= writeEvents(new Logger('Millrace'));
  }

  stop(): void {
    holders.delete(this);
    if (holders.size > 0) return;
    stopWriting?.();
    stopWriting = null;
  }
}

function writeEvents(logger: Logger): () => void {
  const outages = new Outages();
  const stops = [
    listen('attempt-failed', (event) => (event.outcome === 'retry' ? logger.warn(attemptLine(event)) : logger.error(attemptLine(event)))),
    listen('notice-failed', (event) => (event.outcome === 'retry' ? logger.warn(noticeLine(event)) : logger.error(noticeLine(event)))),
    listen('backoff-failed', (event) => logger.error(backoffLine(event))),
    listen('result-dropped', (event) => logger.warn(resultLine(event))),
    listen('reclaimed', (event) => logger.warn(reclaimedLine(event))),
    listen('fenced', (event) => logger.warn(fencedLine(event))),
    listen('lost', (event) => logger.error(lostLine(event))),
    listen('recreated', (event) => logger.warn(recreatedLine(event))),
    listen('loop-failed', (event) => isPowerOfTwo(event.failures) && !outages.explain(event) && logger.error(loopLine(event))),
    listen('connection', (event) => outages.isNews(event) && logger.warn(connectionLine(event))),
  ];
  return () => stops.forEach((stop) => stop());
}

/**
 * A connection that is lost is told when the first attempt to make it again fails, and when it is back. Not before, since
 * whoever closes a connection loses it, too.
 */
class Outages {
  readonly #lost = new Set<string>();
  readonly #told = new Set<string>();
  #isAway = false;

  /** Whether a loop fails of what was told already: there are many, and each would say the same. */
  explain({ error }: EventMap['loop-failed']): boolean {
    return this.#isAway && error.code === 'REDIS_UNREACHABLE';
  }

  isNews({ name, state }: EventMap['connection']): boolean {
    this.#isAway = this.#isAway ? state !== 'ready' : state === 'failed';
    if (state === 'ready') return [this.#told.delete(name), this.#lost.delete(name)].includes(true);
    this.#lost.add(name);
    if (state === 'lost' || this.#told.has(name)) return false;
    this.#told.add(name);
    return true;
  }
}

/** A loop that fails while Redis is away fails several times a second: the 1st, 2nd, 4th, 8th ... time tells enough. */
function isPowerOfTwo(count: number): boolean {
  return (count & (count - 1)) === 0;
}
