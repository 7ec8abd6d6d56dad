import type { Logger } from '@nestjs/common';
import type { EventMap } from '@millrace/core';
import { awayLine, backLine, blinkLine } from './event-lines.js';

type ConnectionEvent = EventMap['connection'];

/**
 * Logs once that Redis is away, whatever the number of connections that miss it, and once that it is back. It is away when
 * an attempt to connect fails, not when a connection ends, because closing a connection ends it, too.
 */
export class Outages {
  readonly #logger: Logger;
  /** Connections that are not there at the moment. */
  readonly #missing = new Set<string>();
  /** The connections that were still missing when Redis was back: their reports are old. */
  #late = new Set<string>();
  #awaySince: number | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Whether a loop failed for a reason that its connection reports: many loops would log the same. */
  explain({ error }: EventMap['loop-failed']): boolean {
    return error.code === 'REDIS_UNREACHABLE' && (this.#awaySince !== null || this.#missing.size > 0);
  }

  heard(event: ConnectionEvent): void {
    if (event.state === 'ready') return this.#ready(event);
    this.#missing.add(event.name);
    if (event.state !== 'failed' || this.#awaySince !== null || this.#late.has(event.name)) return;
    this.#awaySince = performance.now();
    this.#logger.warn(awayLine(event));
  }

  #ready(event: ConnectionEvent): void {
    const wasMissing = this.#missing.delete(event.name);
    const wasLate = this.#late.delete(event.name);
    if (!wasMissing) return;
    if (this.#awaySince !== null) this.#back(this.#awaySince);
    else if (!wasLate) this.#logger.warn(blinkLine(event));
  }

  #back(awaySince: number): void {
    this.#logger.warn(backLine(performance.now() - awaySince));
    this.#awaySince = null;
    this.#late = new Set(this.#missing);
  }
}
