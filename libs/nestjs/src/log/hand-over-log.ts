import type { Logger } from '@nestjs/common';
import type { EventMap } from '@millrace/core';
import { handOverLine } from './event-lines.js';

type HandOver = EventMap['ownership'];

/** Logs which partitions come and go: those of a group that do so at one moment have one line. */
export class HandOverLog {
  readonly #logger: Logger;
  #waiting = new Map<string, HandOver[]>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  write(event: HandOver): void {
    if (this.#waiting.size === 0) setImmediate(() => this.flush());
    const kind = `${event.topic}/${event.group}/${event.change}`;
    this.#waiting.set(kind, [...(this.#waiting.get(kind) ?? []), event]);
  }

  /** Logs what waits. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const events of waiting.values()) this.#logger[events[0]!.change === 'lost' ? 'warn' : 'log'](handOverLine(events));
  }
}
