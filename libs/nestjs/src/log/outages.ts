import type { Logger } from '@nestjs/common';
import type { EventMap } from '@millrace/core';
import { Outage } from './outage.js';

/** Logs outages of Redis; in a Cluster those of each node by themselves, as one node that is away hides no other. */
export class Outages {
  readonly #logger: Logger;
  /** By the node; what belongs to none is under an empty name. */
  readonly #outages = new Map<string, Outage>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Whether a loop failed for a reason that its connection reports: many loops would log the same. */
  explain({ error }: EventMap['loop-failed']): boolean {
    return error.code === 'REDIS_UNREACHABLE' && this.#outages.size > 0;
  }

  heard(event: EventMap['connection']): void {
    const { node = '' } = event;
    const outage = this.#outages.get(node) ?? new Outage(this.#logger);
    outage.heard(event);
    if (outage.isOver) this.#outages.delete(node);
    else this.#outages.set(node, outage);
  }

  slotsGone({ node }: EventMap['slots-gone']): void {
    this.#outages.get(node)?.replaced(node);
  }
}
