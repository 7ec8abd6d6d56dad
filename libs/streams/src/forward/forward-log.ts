import type { Durability } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import { DurableRoutes, runConfirmed } from '../durable/durable-routes.js';
import { type EntryName, entryNameOf, type ForwardEntry, inOrder } from './forward-entry.js';
import { sendablesIn } from './forward-text.js';

const claimLane = loadScript('../scripts/claim-lane.lua', import.meta.url);
const readForwards = loadScript('../scripts/read-forwards.lua', import.meta.url);

/** Texts that one call reads. */
const MOST_TEXTS = 64;

/** A lane, as the group knows it. */
export interface LaneState {
  readonly owner: string;
  readonly generation: string;
  /** The number that was given last. */
  readonly last: number;
}

/** The forward log of a group in one partition, at one moment. */
export interface ForwardState {
  /** By their numbers. */
  readonly lanes: readonly LaneState[];
  /** In the order of each lane. */
  readonly names: readonly EntryName[];
}

export interface ForwardLogParts {
  readonly redis: Topology;
  readonly durability?: Durability | undefined;
}

/** The forward log of a group in one partition: messages and jobs that settled messages forward, until they are where they go. */
export class ForwardLog {
  readonly #redis: Topology;
  readonly #durability: Durability;
  readonly #routes: DurableRoutes;
  readonly #place: GroupPartition;

  constructor({ redis, durability = 'server' }: ForwardLogParts, place: GroupPartition) {
    this.#redis = redis;
    this.#durability = durability;
    this.#routes = new DurableRoutes(redis, { purpose: 'settle', stored: 'outcome' });
    this.#place = place;
  }

  /** @returns the lane of the member, which nobody else has that lives */
  async claim(member: string, living: readonly string[]): Promise<string> {
    const { control } = this.#place.groupKeys;
    return String(await this.#redis.publishFor(control).run(claimLane, [control], [member, ...living]));
  }

  /** Reads it as it is at one moment; all that it finds is as durable as outcomes of the group are. */
  async read(): Promise<ForwardState> {
    const { control, forward } = this.#place.groupKeys;
    const reply = await runConfirmed(this.#routes.to(control, this.#durability), readForwards, { keys: [control, forward], args: [] });
    const [lanes = '', ...names] = reply as string[];
    return { lanes: lanes === '' ? [] : lanes.split('\n').map(laneStateOf), names: names.map(entryNameOf).sort(inOrder) };
  }

  /** The entries of these names; those that were removed meanwhile are missing: they are where they go. */
  async entries(names: readonly EntryName[]): Promise<ForwardEntry[]> {
    const { forward } = this.#place.groupKeys;
    const entries: ForwardEntry[] = [];
    for (let from = 0; from < names.length; from += MOST_TEXTS) {
      const page = names.slice(from, from + MOST_TEXTS);
      const texts = (await this.#redis.publishFor(forward).call('HMGET', forward, ...page.map(({ text }) => text))) as (string | null)[];
      page.forEach((name, index) => {
        const text = texts[index];
        if (typeof text === 'string') entries.push({ name, sendables: sendablesIn(text) });
      });
    }
    return entries;
  }

  /** All that the entries hold is where it goes. It may be repeated: a name is never used again. */
  async remove(names: readonly EntryName[]): Promise<void> {
    const { forward } = this.#place.groupKeys;
    await this.#redis.publishFor(forward).call('HDEL', forward, ...names.map(({ text }) => text));
  }
}

function laneStateOf(line: string): LaneState {
  const [owner = '-', generation = '-', last = '0'] = line.split(' ');
  return { owner, generation, last: Number(last) };
}
