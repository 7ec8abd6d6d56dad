import { type PayloadClass, topicOf } from '@millrace/core';
import type { DeadLetterRecord } from '@millrace/streams';
import type { Bed } from '../bed.js';
import type { Process } from '../fixture.js';
import type { History, Run } from './verdict.js';

/** The records of workers and publishers about a run, kept outside Redis: no fault touches them. */
export class Records {
  readonly attempted = new Set<number>();
  readonly confirmed = new Set<number>();
  readonly begun: Run[] = [];
  readonly done: Run[] = [];
  #waiting: { readonly at: number; readonly resolve: () => void }[] = [];

  begin(run: Run): void {
    this.begun.push(run);
    const due = this.#waiting.filter(({ at }) => at <= this.begun.length);
    this.#waiting = this.#waiting.filter(({ at }) => at > this.begun.length);
    for (const { resolve } of due) resolve();
  }

  /** Resolves when so many more handlers have begun. */
  progress(count: number): Promise<void> {
    return this.reached(this.begun.length + count);
  }

  /** Resolves when so many handlers have begun in all. */
  reached(at: number): Promise<void> {
    return at <= this.begun.length ? Promise.resolve() : new Promise((resolve) => this.#waiting.push({ at, resolve }));
  }

  /** The records together with the data of the topic and the group in Redis. */
  async history(bed: Bed, looker: Process, { topic, group }: { topic: PayloadClass; group: string }): Promise<History> {
    const { partitions } = topicOf(topic);
    const places = Array.from({ length: partitions }, (_, partition) => bed.place(topic, group, partition));
    const stored = await Promise.all(places.map(({ keys }) => valuesIn(bed, keys.log)));
    const dead: DeadLetterRecord[] = await looker.streams.inspector.deadLetters(topicOf(topic), group, 10_000);
    const { attempted, confirmed, begun, done } = this;
    return { attempted, confirmed, begun, done, stored: stored.flat(), dead };
  }
}

type Envelope = [number, string, string, string, null, { value: number }];

async function valuesIn(bed: Bed, log: string): Promise<number[]> {
  const values: number[] = [];
  for (let after = '-'; ; ) {
    const entries = (await bed.command('XRANGE', log, after, '+', 'COUNT', 1_000)) as [string, string[]][];
    const envelopes = entries.flatMap(([, fields]) => JSON.parse(fields[1]!) as Envelope[]);
    values.push(...envelopes.map(([, , , , , { value }]) => value));
    if (entries.length < 1_000) return values;
    after = `(${entries.at(-1)![0]}`;
  }
}
