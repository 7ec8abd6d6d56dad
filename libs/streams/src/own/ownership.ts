import { asError, emit, errorRecord, Loop, type PartitionOwner, spread, type Watcher } from '@millrace/core';
import { settlesWithin, type Topology } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import type { Membership } from '../group/membership.js';
import type { Presence } from '../group/presence.js';
import { assign } from './assignment.js';
import { HandOvers } from './hand-overs.js';
import { epochIn, isUnder } from './owner-record.js';
import { type Answers, type Claim, type Owned, OwnerRecords } from './owner-records.js';
import { type Step, stepFor, type Tenure } from './ownership-step.js';
import { StableView } from './stable-view.js';
import { Stake } from './stake.js';

/** How often to look while a partition is not with its assignee, or no ring is heard. */
const LOOK_SOON_MS = 1_000;
/** How long the last release may take: a Redis that does not answer must not keep the process. */
const GOODBYE_MS = 500;

/** The part that works with the partitions of this member. */
export interface OwnershipUser {
  /** The member owns the partition from now on. It may be revoked, or lost, before the promise resolves. */
  assigned(place: GroupPartition, acquisition: PartitionOwner): void | Promise<void>;
  /** The member is to give the partition up: it begins nothing more there. Resolves when nothing of it is in flight. */
  revoked(place: GroupPartition): Promise<void>;
  /** Whether it has counted the death of an owner before, or knows that there is none to count. Default: no. */
  hasCounted?(place: GroupPartition): boolean;
  /** The partition is another's by now, or nobody's: nothing that is in flight there counts any more. */
  lost(place: GroupPartition): void;
  /** Others might have taken this process for dead, and it is known again what it owns: what waited for that may begin. */
  sureAgain?(): void;
}

export interface OwnershipParts {
  readonly redis: Pick<Topology, 'controlFor' | 'publishFor'>;
  readonly presence: Presence;
  /** The member of this process. */
  readonly member: string;
  readonly membership: Membership;
  /** All partitions of the subscription, in the order of their numbers. */
  readonly places: readonly GroupPartition[];
  readonly idlePauseMs: number;
  /** Whether every ring is heard. */
  readonly rings: { readonly isListening: boolean };
  readonly user: OwnershipUser;
}

/**
 * The partitions that one member of an ordered group owns. Members agree on them without a coordinator: each works out the
 * assignment, acquires what is assigned to it and has no owner that lives, and gives up what is assigned to another. The records
 * in Redis alone decide.
 */
export class Ownership implements Watcher {
  readonly #parts: OwnershipParts;
  readonly #records: OwnerRecords;
  readonly #view: StableView;
  readonly #handOvers = new HandOvers();
  readonly #stakes: readonly Stake[];
  readonly #keys: readonly string[];
  readonly #loop: Loop;
  /** How often others may have taken this process for dead. */
  #returns = 0;
  /** The number of returns by which Redis had confirmed all that this member owns. */
  #confirmed = 0;
  #isStopping = false;
  /** Others may own by now what this member owned: it looks at once. */
  #isStale = false;
  /** Errors of the present round: the partitions that they are about do not stop the others. */
  #errors: unknown[] = [];

  constructor(parts: OwnershipParts) {
    this.#parts = parts;
    this.#records = new OwnerRecords(parts);
    this.#view = new StableView(parts.presence.beatMs);
    this.#stakes = parts.places.map((place) => new Stake(place));
    this.#keys = parts.places.map(({ topic, group, partition }) => `${topic}/${group}/${partition}`);
    this.#loop = new Loop({ name: 'own', round: () => this.#round(), onError: (error, failures) => this.#report(error, failures) });
  }

  /** Other members of the group, and all owners: the record may name one whom the group has forgotten. */
  get watched(): ReadonlySet<string> {
    const owners = this.#stakes.map(({ record }) => record.owner).filter((owner) => owner !== '');
    return new Set([...this.#parts.membership.names, ...owners]);
  }

  readonly onGone = (): void => this.#loop.wake();

  readonly onChanged = (): void => this.#loop.wake();

  /** Others may own by now what this member owned: it says that it owns nothing until it has looked. */
  readonly onReturn = (): void => {
    this.#returns += 1;
    this.#isStale = true;
    this.#loop.wake();
  };

  /** The epoch under which this member owns the partition for sure; null while it does not. */
  epochOf(partition: number): number | null {
    const stake = this.#stakes[partition];
    if (!stake?.tenure || stake.confirmedAt !== this.#returns || !this.#parts.presence.isSure) return null;
    return stake.tenure.epoch;
  }

  /** Whether this member owns for sure all that it takes for its own: only then a message may begin. */
  get isSure(): boolean {
    return this.#confirmed === this.#returns && this.#parts.presence.isSure;
  }

  /** Whether Redis says at this moment that this member owns the partition under that epoch. */
  async confirms(place: GroupPartition, epoch: number): Promise<boolean> {
    const { found, errors } = await this.#records.look([place]);
    if (errors.length > 0) throw asError(errors[0]);
    return isUnder(found.get(place)!, this.#parts.member, epoch);
  }

  start(): void {
    this.#parts.presence.watch(this);
    this.#loop.start();
  }

  /** Members may have come or gone, a partition may have been released, or this member may have lost one. */
  wake(): void {
    this.#loop.wake();
  }

  /** A partition may be another's by now: it looks at once. */
  doubt(): void {
    this.#isStale = true;
    this.#loop.wake();
  }

  /** A database knows another owner of the partition, of which Redis has lost the epoch: it is to be owned above that one. */
  raise(partition: number, epoch: number): void {
    const stake = this.#stakes[partition]!;
    stake.knownEpoch = Math.max(stake.knownEpoch, epoch);
    if (stake.tenure && stake.tenure.epoch <= epoch) this.#lose(stake);
    this.#loop.wake();
  }

  /**
   * Gives up all partitions: those whose user has not finished at the deadline are lost to it.
   *
   * @returns false when Redis may still name this member as an owner: others take over when they know that it has left
   */
  async stop(deadlineMs: number): Promise<boolean> {
    this.#isStopping = true;
    this.#parts.presence.stopping(this.#parts.member);
    for (const stake of this.#stakes) this.#revoke(stake);
    await settlesWithin(Promise.all(this.#stakes.map(({ drain }) => drain)), deadlineMs);
    this.#parts.presence.unwatch(this);
    const ended = this.#loop.stop();
    for (const { tenure, place } of this.#stakes) if (tenure && tenure.state !== 'drained') void this.#tell(() => this.#parts.user.lost(place));
    await settlesWithin(ended.then(() => this.#release(this.#stakes.filter((stake) => this.#isOwn(stake)))), GOODBYE_MS);
    return !this.#stakes.some((stake) => this.#isOwn(stake));
  }

  /** Whether Redis may name this member as the owner, as far as it knows: an answer to a release may have been lost. */
  #isOwn({ tenure, record }: Stake): boolean {
    return tenure !== null || record.owner === this.#parts.member;
  }

  /** @returns milliseconds until the next round */
  async #round(): Promise<number> {
    this.#errors = [];
    await this.#release(this.#stakes.filter(({ tenure }) => tenure?.state === 'drained'));
    const stableInMs = this.#view.see(this.#parts.membership.assignable, performance.now());
    const waitMs = stableInMs > 0 && !this.#isStale ? stableInMs : await this.#act(await this.#look(), stableInMs);
    if (this.#errors.length > 0) throw asError(this.#errors[0]);
    return waitMs;
  }

  /**
   * Learns the records, and which partitions this member has lost.
   *
   * @returns the partitions whose records are known
   */
  async #look(): Promise<Stake[]> {
    const returns = this.#returns;
    this.#isStale = false;
    const records = this.#checked(await this.#records.look(this.#parts.places));
    const isSureAgain = records.size === this.#stakes.length && this.#confirmed !== returns;
    if (records.size < this.#stakes.length) this.#isStale = true;
    else this.#confirmed = returns;
    for (const stake of this.#stakes) {
      const record = records.get(stake.place);
      if (!record) continue;
      stake.learn(record);
      if (stake.tenure && isUnder(record, this.#parts.member, stake.tenure.epoch)) stake.confirmedAt = returns;
      else if (stake.tenure) this.#lose(stake);
    }
    if (isSureAgain) void this.#tell(() => this.#parts.user.sureAgain?.());
    return this.#stakes.filter(({ place }) => records.has(place));
  }

  /** @returns milliseconds until there is something to do */
  async #act(known: readonly Stake[], stableInMs: number): Promise<number> {
    if (this.#isStopping) return LOOK_SOON_MS;
    const steps = this.#steps(stableInMs === 0);
    const those = (kind: Step['kind']): Stake[] => known.filter((stake) => steps.get(stake)!.kind === kind);
    for (const stake of those('revoke')) this.#revoke(stake);
    await this.#release(those('release'));
    if (!(await this.#acquire(those('acquire')))) return 0;
    const isAtRest = this.#parts.rings.isListening && those('await').length + those('revoke').length === 0;
    const restMs = isAtRest ? spread(this.#parts.idlePauseMs) : Math.min(LOOK_SOON_MS, this.#parts.idlePauseMs);
    const holds = [...steps.values()].flatMap((step) => (step.kind === 'hold' ? [step.forMs] : []));
    return Math.min(restMs, ...holds, ...(stableInMs > 0 ? [stableInMs] : []));
  }

  #steps(isStable: boolean): Map<Stake, Step> {
    const { member, presence } = this.#parts;
    const owners = this.#stakes.map(({ record }) => (record.owner === '' ? null : record.owner));
    const assignees = isStable ? assign({ members: this.#view.members, keys: this.#keys, owners }) : [];
    const common = { member, isSure: presence.isSure, nowMs: performance.now() };
    return new Map(this.#stakes.map((stake, index) => {
      const { record, tenure } = stake;
      const isOwnerGone = record.owner !== '' && presence.fateOf(record.owner) !== 'living';
      return [stake, stepFor({ ...common, tenure, record, isOwnerGone, assignee: assignees[index] ?? null })];
    }));
  }

  /** @returns false when a record was another one than expected, and there is something to decide anew */
  async #acquire(stakes: readonly Stake[]): Promise<boolean> {
    if (stakes.length === 0) return true;
    const [{ member, presence }, returns] = [this.#parts, this.#returns];
    const claimOf = ({ place, record, knownEpoch }: Stake): Claim => {
      return { place, expected: record, leastEpoch: knownEpoch + 1, hasDied: presence.fateOf(record.owner) === 'dead' };
    };
    for (const stake of stakes) stake.isTold = false;
    const answers = this.#checked(await this.#records.acquire(stakes.map(claimOf)));
    for (const stake of stakes) {
      const answer = answers.get(stake.place);
      if (typeof answer === 'number') this.#acquired(stake, { member, epoch: answer }, returns);
      else if (answer) stake.learn(answer);
    }
    return stakes.every(({ place, tenure }) => tenure !== null || !answers.has(place));
  }

  #acquired(stake: Stake, acquisition: PartitionOwner, returns: number): void {
    const { member, user } = this.#parts;
    const { epoch } = acquisition;
    stake.learn({ owner: member, epoch: String(epoch) });
    stake.tenure = { epoch, sinceMs: performance.now(), state: this.#isStopping ? 'drained' : 'owned' };
    stake.confirmedAt = returns;
    if (this.#isStopping) return;
    stake.isTold = true;
    this.#handOvers.assigned(stake.place, epoch);
    void this.#tell(() => user.assigned(stake.place, acquisition));
  }

  #lose(stake: Stake): void {
    stake.tenure = null;
    this.#handOvers.ended(stake.place, 'lost');
    void this.#tell(() => this.#parts.user.lost(stake.place));
  }

  #revoke(stake: Stake): void {
    if (stake.tenure?.state !== 'owned') return;
    stake.tenure = { ...stake.tenure, state: 'draining' };
    stake.drain = this.#drain(stake, stake.tenure);
  }

  /** Resolves when the user has finished: the next round releases the partition. */
  async #drain(stake: Stake, draining: Tenure): Promise<void> {
    await this.#tell(() => this.#parts.user.revoked(stake.place));
    if (stake.tenure === draining) stake.tenure = { ...draining, state: 'drained' };
    this.#loop.wake();
  }

  /** Where the answer is lost, the next look says what is left. */
  async #release(stakes: readonly Stake[]): Promise<void> {
    if (stakes.length === 0) return;
    const owned = stakes.map((stake): Owned => {
      const { place, record, tenure, isTold } = stake;
      const hasCounted = isTold && this.#parts.user.hasCounted?.(place) === true;
      return { place, epoch: tenure?.epoch ?? epochIn(record), hasCounted };
    });
    for (const stake of stakes) {
      this.#handOvers.ended(stake.place, stake.tenure?.state === 'drained' ? 'given-up' : 'lost');
      stake.tenure = null;
    }
    const answers = this.#checked(await this.#records.release(owned));
    for (const stake of stakes) if (answers.get(stake.place) === true) stake.learn({ ...stake.record, owner: '' });
  }

  #checked<T>({ found, errors }: Answers<T>): Answers<T>['found'] {
    this.#errors.push(...errors);
    return found;
  }

  /** An error of the user must not stop the loop. */
  async #tell(call: () => void | Promise<void>): Promise<void> {
    try {
      await call();
    } catch (thrown) {
      this.#report(asError(thrown), 1);
    }
  }

  #report(error: Error, failures: number): void {
    const { topic, group } = this.#parts.places[0]!;
    emit('loop-failed', { topic, group, loop: 'own', error: errorRecord(error), failures });
  }
}
