import { setImmediate } from 'node:timers/promises';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { type GroupPartition, groupPartition } from '../../src/consume/group-partition.js';
import { Holdings } from '../../src/consume/holdings.js';
import { Entrance } from '../../src/group/entrance.js';
import { GroupWatch } from '../../src/group/group-watch.js';
import { Membership } from '../../src/group/membership.js';
import { Presence } from '../../src/group/presence.js';
import { Ownership, type OwnershipUser } from '../../src/own/ownership.js';
import { ringOf } from '../../src/ring/ring-text.js';
import { Rings } from '../../src/ring/rings.js';

export const GROUP = 'g';
export const TOPIC = 'test.owned';

/** A thing that the user of a member was told, or did. */
export interface Note {
  readonly kind: 'assigned' | 'revoking' | 'revoked' | 'lost';
  readonly member: string;
  readonly partition: number;
}

export interface OwnerPlan {
  readonly url: string;
  readonly prefix: string;
  readonly leaseMs: number;
  readonly partitions: number;
  readonly idlePauseMs?: number;
}

export interface OwnerHooks {
  readonly note?: (note: Note) => void;
  /** Resolves when nothing is in flight in a partition that is revoked. */
  readonly drain?: (partition: number) => Promise<unknown>;
}

export function placesOf({ prefix, partitions }: Pick<OwnerPlan, 'prefix' | 'partitions'>): GroupPartition[] {
  return Array.from({ length: partitions }, (_, partition) => groupPartition(prefix, { topic: TOPIC, partition }, GROUP));
}

/** A member of an ordered group, with all that a process has for it, that owns partitions and does nothing with them. */
export class OwnerMember {
  readonly name: string;
  readonly redis: StandaloneTopology;
  readonly presence: Presence;
  readonly ownership: Ownership;
  readonly #places: readonly GroupPartition[];
  readonly #holdings: Holdings;
  readonly #entrance: Entrance;
  readonly #watch: GroupWatch;
  readonly #rings: Rings;
  #isDone = false;

  private constructor(name: string, process: Process, { plan, hooks }: Setting) {
    const { redis, presence } = process;
    this.name = name;
    this.redis = redis;
    this.presence = presence;
    this.#places = placesOf(plan);
    this.#holdings = new Holdings({ redis, prefix: plan.prefix, member: name });
    this.#entrance = new Entrance({ redis, presence, member: name, places: this.#places, ordering: { by: 'key' } });
    this.#rings = new Rings(redis);
    const { idlePauseMs = 30_000 } = plan;
    const common = { redis, member: name, membership: new Membership(name, presence), places: this.#places, idlePauseMs };
    const wake = (): void => {
      this.#watch.wake();
      this.ownership.wake();
    };
    const membersChanged = (): void => this.ownership.wake();
    const pauses = { groupPaused: () => Promise.resolve(), groupResumed: () => undefined, raised: () => undefined };
    this.#watch = new GroupWatch({ ...common, partitions: [], feedback: { ...pauses, membersChanged, isIdle: true } });
    const heard = (_: string, text: string): void => {
      if (ringOf(text)?.kind === 'control') wake();
    };
    const ear = this.#rings.listen(this.#places.map(({ keys }) => keys.ring), { heard, opened: wake, lost: wake });
    const rings = { get isListening(): boolean { return ear.isOpen; } };
    this.ownership = new Ownership({ ...common, presence, rings, user: userOf(name, hooks) });
  }

  static async join(plan: OwnerPlan, hooks: OwnerHooks = {}): Promise<OwnerMember> {
    const redis = await connectServer({ url: plan.url });
    const presence = new Presence({ redis, prefix: plan.prefix, leaseMs: plan.leaseMs });
    const member = new OwnerMember(await presence.join(), { redis, presence }, { plan, hooks });
    await member.joinGroup();
    await member.#watch.look();
    member.#watch.start();
    member.ownership.start();
    return member;
  }

  /** Makes the group where there is none, and joins it; also when Redis has lost it. */
  async joinGroup(): Promise<void> {
    const { keys } = this.#places[0]!;
    await this.redis.control.call('XGROUP', 'CREATE', keys.log, GROUP, '$', 'MKSTREAM').catch(() => undefined);
    await this.#entrance.enter();
  }

  /** Partition -> the epoch under which the member says that it owns it. */
  get owned(): Map<number, number> {
    const epochs = this.#places.map(({ partition }) => [partition, this.ownership.epochOf(partition)] as const);
    return new Map(epochs.filter((each): each is readonly [number, number] => each[1] !== null));
  }

  /** Stops as a subscription does. */
  async stop(deadlineMs = 1_000): Promise<void> {
    if (this.#isDone) return;
    this.#isDone = true;
    const hasReleased = await this.ownership.stop(deadlineMs);
    await this.#watch.stop();
    const log = { ...this.#places[0]!, streams: [this.#places[0]!.streams[0]] as unknown as GroupPartition['streams'] };
    await this.#holdings.leave([log]).catch(() => false);
    if (hasReleased) this.presence.departed(this.name);
    else await this.presence.left(this.name).catch(() => undefined);
    await this.#close();
  }

  /** Cuts the process off from Redis as kill -9 would. */
  async vanish(): Promise<void> {
    if (this.#isDone) return;
    this.#isDone = true;
    this.redis.close();
    await Promise.all([this.ownership.stop(0), this.#watch.stop(), this.#close()]);
  }

  async #close(): Promise<void> {
    await this.#rings.stop();
    await this.presence.stop();
    this.redis.close();
  }
}

interface Process {
  readonly redis: StandaloneTopology;
  readonly presence: Presence;
}

interface Setting {
  readonly plan: OwnerPlan;
  readonly hooks: OwnerHooks;
}

function userOf(member: string, { note = () => undefined, drain = () => setImmediate() }: OwnerHooks): OwnershipUser {
  const say = (kind: Note['kind'], { partition }: GroupPartition): void => note({ kind, member, partition });
  return {
    assigned: (place) => say('assigned', place),
    revoked: async (place) => {
      say('revoking', place);
      await drain(place.partition);
      say('revoked', place);
    },
    lost: (place) => say('lost', place),
  };
}
