import type { BatchRule } from '@millrace/core';
import type { GroupPartition } from '../consume/group-partition.js';
import type { HandlerQueue } from '../consume/handler-queue.js';
import type { PendingDelivery } from '../consume/pending-delivery.js';
import type { Lane } from './lane.js';
import { Line } from './line.js';
import { PartitionLanes } from './partition-lanes.js';

/** The messages of a lane: all of a key, or all of a partition. */
export type LaneRule = 'key' | 'partition';

const NEVER = Number.POSITIVE_INFINITY;

/**
 * Messages that wait for a handler, in lanes: the first of a lane may begin when the one before it is settled. A batch has at
 * most one message of each lane.
 */
export class LaneQueue implements HandlerQueue {
  /** A script reads for an owner, which takes longer than a read: handlers would have nothing to do before it is back. */
  readonly payingRoom = 0.25;
  readonly #batch: BatchRule;
  readonly #rule: LaneRule;
  readonly #partitions = new Map<GroupPartition, PartitionLanes>();
  /** The lane of each message that was taken and is not settled. */
  readonly #taken = new Map<PendingDelivery, Lane>();
  readonly #ready = new Line<Lane>();
  /** Lanes whose first message may begin, alone, since its process vanished. */
  readonly #suspects = new Set<Lane>();
  /** Lanes whose first message waits for its next attempt. */
  readonly #later = new Set<Lane>();
  /** No lane of `later` is due before that. */
  #nextDueMs = NEVER;
  #suspect: PendingDelivery | undefined;
  #blockedSinceMs: number | null = null;

  constructor(batch: BatchRule, rule: LaneRule) {
    this.#batch = batch;
    this.#rule = rule;
  }

  get length(): number {
    return this.#ready.length + this.#suspects.size;
  }

  get hasSuspects(): boolean {
    return this.#suspects.size > 0;
  }

  get wantsLoneSlot(): boolean {
    return this.hasSuspects && !this.#suspect;
  }

  /** Nothing waits for too long: no other member could take it. */
  get waitsSinceMs(): null {
    return null;
  }

  /** Names the lane of a message in its partition. A message without a key, as one that cannot be read, waits for no other. */
  laneKeyOf({ message, name, entry }: PendingDelivery): string {
    // Messages of a released key come one by one, while others of that key are put aside.
    if (entry.stream.kind === 'parked') return `\0${name}`;
    return this.#rule === 'partition' ? '' : (message.key ?? `\0${name}`);
  }

  /** How many messages of a partition wait, those included that may not begin yet. */
  waitingIn(place: GroupPartition): number {
    return this.#of(place).waiting;
  }

  /** Tells once when no more than so many messages of a partition wait. */
  whenFewWait(place: GroupPartition, most: number, tell: () => void): void {
    this.#of(place).whenFewWait(most, tell);
  }

  /** Whether messages of a partition were taken and are not settled. */
  hasTakenIn(place: GroupPartition): boolean {
    return this.#of(place).hasTaken;
  }

  /** All messages of a partition, by their names: those that were taken and are not settled, and those that wait. */
  allIn(place: GroupPartition): Map<string, PendingDelivery> {
    return new Map(this.#of(place).all.map((delivery) => [delivery.name, delivery]));
  }

  add(delivery: PendingDelivery, nowMs: number): void {
    const lanes = this.#of(delivery.entry.stream.partition);
    const lane = lanes.laneOf(this.laneKeyOf(delivery));
    const isFree = !lane.first && !lane.busy;
    lane.add(delivery);
    lanes.count(1);
    if (isFree) this.#offer(lane, nowMs);
  }

  take(nowMs: number, most = Infinity): PendingDelivery[] {
    this.#noteBlocked(nowMs);
    if (this.readyInMs(nowMs) !== 0) return [];
    const batch: PendingDelivery[] = [];
    const size = Math.min(this.#batch.size, most, this.#ready.length);
    while (batch.length < size) batch.push(this.#takeFrom(this.#ready.take()!));
    return batch;
  }

  takeSuspect(nowMs: number): PendingDelivery[] {
    const [lane] = this.#suspects;
    if (!lane) return [];
    this.#suspects.delete(lane);
    this.#suspect = this.#takeFrom(lane);
    this.#noteBlocked(nowMs);
    return [this.#suspect];
  }

  suspectEnded(): void {
    this.#blockedSinceMs = null;
  }

  ended([first]: readonly PendingDelivery[]): boolean {
    if (!this.#suspect || first !== this.#suspect) return false;
    this.#suspect = undefined;
    this.suspectEnded();
    return true;
  }

  settled(delivery: PendingDelivery): void {
    const lane = this.#taken.get(delivery);
    if (!lane) return;
    this.#taken.delete(delivery);
    lane.busy = null;
    if (lane.first) this.#offer(lane, performance.now());
    else lane.partition.emptied();
  }

  /** A message that was taken is to be handled again, by this member, before all others of its lane. */
  retry(taken: PendingDelivery, next: PendingDelivery): void {
    const lane = this.#taken.get(taken)!;
    this.#taken.delete(taken);
    lane.again(next);
    lane.partition.count(1);
    this.#offer(lane, performance.now());
  }

  /** Takes out all messages of a partition that were not taken yet. */
  drop(place: GroupPartition): PendingDelivery[] {
    const dropped: PendingDelivery[] = [];
    const lanes = this.#of(place);
    this.#ready.keep(this.#ready.all.filter((lane) => lane.place !== place));
    for (const lane of lanes) {
      if (!lane.first) continue;
      dropped.push(...lane.clear());
      this.#suspects.delete(lane);
      this.#later.delete(lane);
      if (lane.isEmpty) lanes.emptied();
    }
    lanes.count(-lanes.waiting);
    if (!this.hasSuspects) this.#blockedSinceMs = null;
    return dropped;
  }

  readyInMs(nowMs: number): number | null {
    this.#promote(nowMs);
    if (this.#ready.length >= this.#batch.size) return 0;
    const { first: lane } = this.#ready;
    const atMs = lane ? lane.first!.waitsSince + this.#batch.waitMs : NEVER;
    const nextMs = Math.min(atMs, this.#nextDueMs);
    return nextMs === NEVER ? null : Math.max(0, Math.ceil(nextMs - nowMs));
  }

  readyNow(nowMs: number): number {
    return this.readyInMs(nowMs) === 0 ? this.#ready.length : 0;
  }

  blocked(nowMs: number): { readonly count: number; readonly ms: number } {
    const sinceMs = this.#blockedSinceMs;
    return sinceMs === null ? { count: 0, ms: 0 } : { count: this.#suspects.size, ms: nowMs - sinceMs };
  }

  takeSuspectsSince(): PendingDelivery[] {
    return [];
  }

  takeNewest(): PendingDelivery[] {
    return [];
  }

  takeAll(): PendingDelivery[] {
    this.#blockedSinceMs = null;
    return [...this.#partitions.keys()].flatMap((place) => this.drop(place));
  }

  #takeFrom(lane: Lane): PendingDelivery {
    const taken = lane.take();
    lane.partition.count(-1);
    this.#taken.set(taken, lane);
    return taken;
  }

  /** The first message of a lane may begin, now or at its time. */
  #offer(lane: Lane, nowMs: number): void {
    const first = lane.first!;
    if (first.notBeforeMs > nowMs) {
      this.#later.add(lane);
      this.#nextDueMs = Math.min(this.#nextDueMs, first.notBeforeMs);
      return;
    }
    first.waitsSince = nowMs;
    if (first.crashes > 0) this.#suspects.add(lane);
    else this.#ready.add(lane);
  }

  #promote(nowMs: number): void {
    if (nowMs < this.#nextDueMs) return;
    this.#nextDueMs = NEVER;
    for (const lane of [...this.#later]) {
      this.#later.delete(lane);
      this.#offer(lane, nowMs);
    }
  }

  #noteBlocked(nowMs: number): void {
    this.#blockedSinceMs = this.hasSuspects ? (this.#blockedSinceMs ?? nowMs) : null;
  }

  #of(place: GroupPartition): PartitionLanes {
    const found = this.#partitions.get(place);
    if (found) return found;
    const lanes = new PartitionLanes(place);
    this.#partitions.set(place, lanes);
    return lanes;
  }
}
