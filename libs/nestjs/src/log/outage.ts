import type { Logger } from '@nestjs/common';
import type { EventMap } from '@millrace/core';
import { awayLine, backLine, blinkLine, closedLine, replacedLine } from './event-lines.js';

type ConnectionEvent = EventMap['connection'];

/**
 * Logs once that a server is away, whatever the number of connections that miss it, and once that it is back. It is away when
 * an attempt to connect fails, not when a connection ends, because closing a connection ends it, too.
 */
export class Outage {
  readonly #logger: Logger;
  /** Connections that are not there at the moment. */
  readonly #missing = new Set<string>();
  /** The connections that were still missing when the outage ended: their reports are old. */
  #late = new Set<string>();
  #awaySince: number | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Whether no connection is missing any more. */
  get isOver(): boolean {
    return this.#awaySince === null && this.#missing.size === 0;
  }

  heard(event: ConnectionEvent): void {
    if (event.state === 'ready') return this.#ready(event);
    if (event.state === 'closed') return this.#closed(event);
    this.#missing.add(event.name);
    if (event.state !== 'failed' || this.#awaySince !== null || this.#late.has(event.name)) return;
    this.#awaySince = performance.now();
    this.#logger.warn(awayLine(event));
  }

  /** Others serve what the node has served: nobody waits for it any more. */
  replaced(node: string): void {
    this.#end((awayMs) => replacedLine(node, awayMs));
  }

  #ready(event: ConnectionEvent): void {
    const wasMissing = this.#missing.delete(event.name);
    const wasLate = this.#late.delete(event.name);
    if (!wasMissing) return;
    if (this.#awaySince !== null) this.#end((awayMs) => backLine(event, awayMs));
    else if (!wasLate) this.#logger.warn(blinkLine(event));
  }

  #closed(event: ConnectionEvent): void {
    this.#missing.delete(event.name);
    this.#late.delete(event.name);
    if (this.#missing.size === 0) this.#end((awayMs) => closedLine(event, awayMs));
  }

  #end(line: (awayMs: number) => string): void {
    this.#late = new Set(this.#missing);
    if (this.#awaySince === null) return;
    this.#logger.warn(line(performance.now() - this.#awaySince));
    this.#awaySince = null;
  }
}
