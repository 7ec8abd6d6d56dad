import { type PayloadClass, topicOf } from '@millrace/core';
import type { GroupState } from '@millrace/streams';
import type { Process } from '../fixture.js';
import type { Ground } from '../ground.js';
import type { Mode } from './plan.js';
import type { Run } from './run.js';
import type { History } from './verdict.js';

/** When no handler has begun for so long though more are awaited, they will not come. */
const PATIENCE_MS = 60_000;

/** No handler begins any more. */
export class Standstill extends Error {}

/** The records of workers and publishers about a run, kept outside Redis: no fault touches them. */
export class Records {
  readonly attempted = new Set<number>();
  readonly confirmed = new Set<number>();
  /** In the order in which their beginnings were heard of. */
  readonly runs: Run[] = [];
  #waiting: { readonly at: number; readonly resolve: () => void }[] = [];

  begin(run: Run): void {
    this.runs.push(run);
    const due = this.#waiting.filter(({ at }) => at <= this.runs.length);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter(({ at }) => at > this.runs.length);
    for (const { resolve } of due) resolve();
  }

  /** Resolves when so many more handlers have begun. @throws Standstill */
  progress(count: number): Promise<void> {
    return this.reached(this.runs.length + count);
  }

  /** Resolves when so many handlers have begun in all. @throws Standstill */
  async reached(at: number): Promise<void> {
    if (at <= this.runs.length) return;
    let timer: NodeJS.Timeout | undefined;
    const standstill = new Promise<never>((_, reject) => {
      let before = this.runs.length;
      timer = setInterval(() => {
        if (this.runs.length === before) reject(new Standstill(`No handler has begun for ${PATIENCE_MS} ms, at ${before} of ${at}.`));
        before = this.runs.length;
      }, PATIENCE_MS);
    });
    const enough = new Promise<void>((resolve) => this.#waiting.push({ at, resolve }));
    await Promise.race([enough, standstill]).finally(() => clearInterval(timer));
  }

  /** The records together with the data of the topic and the group in Redis. */
  async history(ground: Ground, looker: Process, place: { mode: Mode; topic: PayloadClass; group: string }): Promise<History> {
    const { mode, topic, group } = place;
    const { partitions } = topicOf(topic);
    const places = Array.from({ length: partitions }, (_, partition) => ground.place(topic, group, partition));
    const stored = await Promise.all(places.map(({ keys }) => valuesIn(ground, keys.log)));
    const dead = await looker.streams.inspector.deadLetters(topicOf(topic), group, 10_000);
    const left = leftIn(await ground.state(looker, topic, group));
    const { attempted, confirmed, runs } = this;
    return { mode, attempted, confirmed, runs, stored: stored.flat(), dead, left };
  }
}

function leftIn({ lag, pending, retrying }: GroupState): number {
  return Math.max(lag, pending, retrying);
}

type Envelope = [number, string, string, string, null, { value: number }];

async function valuesIn(ground: Ground, log: string): Promise<number[]> {
  const values: number[] = [];
  for (let after = '-'; ; ) {
    const entries = (await ground.command('XRANGE', log, after, '+', 'COUNT', 1_000)) as [string, string[]][];
    const envelopes = entries.flatMap(([, fields]) => JSON.parse(fields[1]!) as Envelope[]);
    values.push(...envelopes.map(([, , , , , { value }]) => value));
    if (entries.length < 1_000) return values;
    after = `(${entries.at(-1)![0]}`;
  }
}
