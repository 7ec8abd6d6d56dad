import { type PayloadClass, topicOf } from '@millrace/core';
import type { GroupState } from '@millrace/streams';
import { Progress } from '@millrace/testing';
import type { Process } from '../fixture.js';
import type { SiteGround } from '../site-ground.js';
import type { Mode } from './plan.js';
import type { Run } from './run.js';
import type { History } from './verdict.js';

/** The records of workers and publishers about a run, kept outside Redis: no fault touches them. */
export class Records {
  readonly attempted = new Set<number>();
  readonly confirmed = new Set<number>();
  /** In the order in which their beginnings were heard of. */
  readonly runs: Run[] = [];
  /** Counts the handlers that have begun. */
  readonly progress = new Progress();

  begin(run: Run): void {
    this.runs.push(run);
    this.progress.advance();
  }

  /** The records together with the data of the topic and the group in Redis. */
  async history(ground: SiteGround, looker: Pick<Process, 'streams'>, place: { mode: Mode; topic: PayloadClass; group: string }): Promise<History> {
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

async function valuesIn(ground: SiteGround, log: string): Promise<number[]> {
  const values: number[] = [];
  for (let after = '-'; ; ) {
    const entries = (await ground.read('XRANGE', log, after, '+', 'COUNT', 1_000)) as [string, string[]][];
    const envelopes = entries.flatMap(([, fields]) => JSON.parse(fields[1]!) as Envelope[]);
    values.push(...envelopes.map(([, , , , , { value }]) => value));
    if (entries.length < 1_000) return values;
    after = `(${entries.at(-1)![0]}`;
  }
}
