import { asError, type Durability, emit, errorRecord, type Forward, type ForwardedJobs } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import type { EntryName, ForwardEntry } from './forward-entry.js';
import { ForwardLane, type ForwardLaneParts, sendEntries } from './forward-lane.js';
import { ForwardLog, type ForwardState } from './forward-log.js';
import { type ForwardSender, GivenUp } from './forward-sender.js';
import { type Forwarded, forwardedOf } from './forward-text.js';
import { groupedBy } from './grouped.js';

export interface ForwarderParts {
  readonly redis: Topology;
  readonly member: string;
  readonly sender: ForwardSender;
  readonly jobs?: ForwardedJobs | undefined;
  /** The durability of outcomes: what was forwarded with one is sent when that is confirmed. */
  readonly durability?: Durability | undefined;
  readonly presence: { readonly leaseMs: number; fateOf(member: string): 'living' | 'left' | 'dead' };
  /**
   * Members that may settle in a partition beside this one: lanes of those that live are left to them. None where a partition has
   * one owner: the next one goes on with the lane, so that what it adds follows what the former one has not sent.
   */
  readonly names: () => readonly string[];
}

/**
 * Sends what handlers forwarded with messages of one group: what this member has settled, by a lane for each partition; and, in
 * partitions that it tends, what others left. Two that send the same are no harm.
 */
export class Forwarder {
  readonly #parts: ForwarderParts;
  readonly #lanes = new Map<GroupPartition, ForwardLane>();
  /** Since when this member has seen entries that others are to send, by the monotonic clock, in milliseconds. */
  readonly #seen = new Map<GroupPartition, Map<string, number>>();
  readonly #atWork = new Set<GroupPartition>();
  readonly #stopped = new AbortController();

  constructor(parts: ForwarderParts) {
    this.#parts = parts;
  }

  /** Why something cannot be sent, or null while all is well. */
  problem(): string | null {
    for (const { problem } of this.#lanes.values()) if (problem) return problem;
    return null;
  }

  /** All that a message forwards, as it is stored and sent. */
  written(forwards: readonly Forward[]): Forwarded {
    for (const forward of forwards) if (forward.kind === 'message') this.#parts.sender.topics.add(forward.topic);
    return forwardedOf(forwards);
  }

  laneOf(place: GroupPartition): ForwardLane {
    let lane = this.#lanes.get(place);
    if (!lane) {
      lane = new ForwardLane(this.#partsOf(place));
      this.#lanes.set(place, lane);
    }
    return lane;
  }

  /** The forward log of a partition is not empty, which this member tends. It never rejects. */
  lookAfter(place: GroupPartition): void {
    if (this.#atWork.has(place) || this.#stopped.signal.aborted) return;
    this.#atWork.add(place);
    const failed = (thrown: unknown): void => {
      if (thrown instanceof GivenUp) return;
      const { topic, partition, group } = place;
      emit('loop-failed', { topic, partition, group, loop: 'forward', error: errorRecord(asError(thrown)), failures: 1 });
    };
    void this.#sendLeft(place).catch(failed).finally(() => this.#atWork.delete(place));
  }

  /** The forward log of a partition is empty. */
  isEmpty(place: GroupPartition): void {
    this.#seen.delete(place);
  }

  /** Resolves when all that this member has settled is sent. */
  async drain(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => lane.drain()));
  }

  /** Sends nothing more: others send the rest. */
  stop(): void {
    this.#stopped.abort();
  }

  /** All entries of a lane go in their order, from its first one on: what is not there any more is where it goes. */
  async #sendLeft(place: GroupPartition): Promise<void> {
    const parts = this.#partsOf(place);
    const state = await parts.log.read();
    const left = this.#leftIn(place, state);
    for (const lane of new Set(left.map((name) => name.lane))) {
      if (state.lanes[Number(lane)]?.owner === parts.member) this.laneOf(place).doubt();
      else await sendLane(parts, await parts.log.entries(state.names.filter((name) => name.lane === lane)));
    }
  }

  /** Entries whose member is gone, or that were there a lease ago. */
  #leftIn(place: GroupPartition, { lanes, names }: ForwardState): readonly EntryName[] {
    const nowMs = performance.now();
    const { presence } = this.#parts;
    const before = this.#seen.get(place);
    const seen = new Map(names.map(({ text }) => [text, before?.get(text) ?? nowMs]));
    this.#seen.set(place, seen);
    return names.filter((name) => {
      const owner = lanes[Number(name.lane)]?.owner ?? '-';
      const isGone = owner === '-' || presence.fateOf(owner) !== 'living';
      return isGone || nowMs - seen.get(name.text)! >= presence.leaseMs;
    });
  }

  #partsOf(place: GroupPartition): ForwardLaneParts {
    const { redis, member, sender, jobs, durability, names, presence } = this.#parts;
    const log = new ForwardLog({ redis, durability }, place);
    const living = (): string[] => names().filter((name) => name !== member && presence.fateOf(name) === 'living');
    return { place, member, log, sender, jobs, living, signal: this.#stopped.signal };
  }
}

/** Sends entries of one lane, from its first one on, and removes them. */
export async function sendLane(parts: ForwardLaneParts, entries: readonly ForwardEntry[]): Promise<void> {
  const { topic, partition, group } = parts.place;
  const onProblem = (why: string | null): void => {
    if (why !== null) emit('loop-failed', { topic, partition, group, loop: 'forward', error: errorRecord(new Error(why)), failures: 1 });
  };
  for (const own of groupedBy(entries, ({ name }) => name.generation).values()) {
    await sendEntries(parts, own, { follows: true, onProblem });
    await parts.log.remove(own.map(({ name }) => name));
  }
}
