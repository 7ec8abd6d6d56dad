import { Injectable, Logger } from '@nestjs/common';
import { listen } from '@millrace/core';
import {
  breakerLine, circuitLine, databaseLine, droppedLine, givenUpHalfLine, heldLine, loopLine, lostLine, ownerFencedLine,
  publishesLostLine, reclaimedLine, recreatedLine, refusedHalfLine, startWaitsLine, uncheckedLine,
} from './event-lines.js';
import {
  attemptFailure, backoffFailure, callFailure, checkFailure, fencedFailure, givenUpCallFailure, hookFailure, outboxFailure,
  overdueFailure, resultFailure,
} from './failures.js';
import { HandOverLog } from './hand-over-log.js';
import { Outages } from './outages.js';
import { Repetitions } from './repetitions.js';

/** Events belong to the process: one of its applications writes them, however many run in it. */
const holders = new Set<EventLog>();
let stopWriting: (() => void) | null = null;

/** Logs failed attempts and recoveries, which partitions come and go, nothing else that goes well. It sums up repetitions. */
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
  const outages = new Outages(logger);
  const repetitions = new Repetitions(logger);
  const handOvers = new HandOverLog(logger);
  const stops = [
    listen('attempt-failed', (event) => repetitions.write(attemptFailure(event))),
    // The filters of Nest have logged what they did not expect.
    listen('call-failed', (event) => event.isReported || repetitions.write(callFailure(event))),
    listen('hook-failed', (event) => repetitions.write(hookFailure(event))),
    listen('backoff-failed', (event) => repetitions.write(backoffFailure(event))),
    listen('fenced', (event) => repetitions.write(fencedFailure(event))),
    listen('result-dropped', (event) => repetitions.write(resultFailure(event))),
    listen('call-given-up', (event) => repetitions.write(givenUpCallFailure(event))),
    listen('call-overdue', (event) => repetitions.write(overdueFailure(event))),
    listen('circuit', (event) => event.state !== 'half-open' && logger.warn(circuitLine(event))),
    listen('breaker', (event) => (event.state === 'open' ? logger.error(breakerLine(event)) : logger.warn(breakerLine(event)))),
    listen('reclaimed', (event) => logger.warn(reclaimedLine(event))),
    listen('owner-fenced', (event) => logger.warn(ownerFencedLine(event))),
    listen('check-failed', (event) => repetitions.write(checkFailure(event))),
    listen('halves-unchecked', (event) => logger.error(uncheckedLine(event))),
    listen('half-given-up', (event) => logger.error(givenUpHalfLine(event))),
    listen('half-refused', (event) => logger.error(refusedHalfLine(event))),
    listen('lost', (event) => logger.error(lostLine(event))),
    listen('dead-letters-dropped', (event) => logger.warn(droppedLine(event))),
    listen('publishes-lost', (event) => logger.error(publishesLostLine(event))),
    listen('recreated', (event) => logger.warn(recreatedLine(event))),
    listen('ownership', (event) => handOvers.write(event)),
    listen('start-waits', (event) => logger.warn(startWaitsLine(event))),
    listen('outbox-failed', (event) => repetitions.write(outboxFailure(event))),
    listen('outbox-held', (event) => isPowerOfTwo(event.failures) && logger.warn(heldLine(event))),
    listen('loop-failed', (event) => isPowerOfTwo(event.failures) && !outages.explain(event) && logger.error(loopLine(event))),
    listen('connection', (event) => (event.name === 'database' ? logger.warn(databaseLine(event)) : outages.heard(event))),
    listen('slots-gone', (event) => outages.slotsGone(event)),
    () => repetitions.stop(),
    () => handOvers.flush(),
  ];
  return () => stops.forEach((stop) => stop());
}

/** A loop fails several times a second while Redis is away, so only the 1st, 2nd, 4th, 8th ... failure is logged. */
function isPowerOfTwo(count: number): boolean {
  return (count & (count - 1)) === 0;
}
