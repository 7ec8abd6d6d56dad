import type { Logger } from '@nestjs/common';
import type { ErrorRecord } from '@millrace/core';
import { failureKind, stackText } from './failure-text.js';
import { type LogFields, withFields } from './json-logger.js';

/** The number of failures of one kind that have lines of their own; the others are counted until the next summary. */
const WHOLE_LINES = 5;
const SUMMARY_EVERY_MS = 30_000;
/** How long a stack is not shown again. */
const STACK_EVERY_MS = 3_600_000;
const MAX_KINDS = 1_000;

export interface Failure {
  readonly level: 'warn' | 'error';
  /** The place where it happened, the same for all that are counted together. */
  readonly place: string;
  /** The outcome, such as `retry`: failures with other outcomes are counted separately. */
  readonly end: string;
  /** Makes the line when it is written: most of a storm is only counted. */
  readonly line: () => string;
  readonly error?: ErrorRecord;
  /** The parts of the line, for logs in JSON. */
  readonly fields?: LogFields;
  /** The line for `count` more of this kind, of which this is the last. */
  readonly more: (count: number) => string;
}

interface Kind {
  written: number;
  unlogged: number;
  last: Failure;
}

/**
 * Logs failures, and sums up those that repeat: the first five of a kind have a line each, and the rest one line every 30
 * seconds, until that kind stops for so long. The stack stands below the first of its kind, once an hour.
 */
export class Repetitions {
  readonly #logger: Logger;
  readonly #kinds = new Map<string, Kind>();
  /** When the stack of a failure was shown last. */
  readonly #stacks = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#timer = setInterval(() => this.#sumUp(), SUMMARY_EVERY_MS).unref();
  }

  write(failure: Failure): void {
    const same = `${failure.place} ${failure.error ? failureKind(failure.error) : ''}`;
    const kind = this.#kind(`${failure.end} ${same}`, failure);
    kind.last = failure;
    if (kind.written === WHOLE_LINES) {
      kind.unlogged += 1;
      return;
    }
    kind.written += 1;
    const text = `${failure.line()}${this.#newStack(same, failure)}`;
    withFields(failure.fields ?? {}, () => this.#logger[failure.level](text));
  }

  /** Logs the failures that were only counted so far. */
  stop(): void {
    clearInterval(this.#timer);
    this.#sumUp();
  }

  #kind(key: string, last: Failure): Kind {
    const known = this.#kinds.get(key);
    if (known) return known;
    if (this.#kinds.size >= MAX_KINDS) this.#sumUp();
    const made = { written: 0, unlogged: 0, last };
    this.#kinds.set(key, made);
    return made;
  }

  /** A kind that was quiet since the last time begins anew. */
  #sumUp(): void {
    for (const [key, { unlogged, last, ...kind }] of this.#kinds) {
      if (unlogged === 0) {
        this.#kinds.delete(key);
        continue;
      }
      this.#logger[last.level](last.more(unlogged));
      this.#kinds.set(key, { ...kind, last, unlogged: 0 });
    }
  }

  #newStack(same: string, { error }: Failure): string {
    const now = performance.now();
    if (!error || now - (this.#stacks.get(same) ?? -Infinity) < STACK_EVERY_MS) return '';
    if (this.#stacks.size >= MAX_KINDS) this.#stacks.clear();
    this.#stacks.set(same, now);
    return stackText(error);
  }
}
