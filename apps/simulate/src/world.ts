import { type Actor, MemoryServer, type Packet, type PacketFate, type VirtualTime } from '@millrace/testing';
import { newMessageId, Topic, type TopicDefinition, topicOf } from '@millrace/core';
import { History } from './history.js';
import { isSettledAgain, type MemberRequest, memberRequestIn } from './member-request.js';
import { type Plan, SLOWEST_MS } from './plan.js';
import type { Trace } from './trace.js';

export const PREFIX = 'simulation';
export const GROUP = 'g';

/** Ids of a millisecond that lies ahead count up and draw nothing, so that runs in one process do not differ by them. */
const FAR_AHEAD_MS = 2_000_000_000_000;
const COMMON = newMessageId(FAR_AHEAD_MS).slice(0, -8);
const ID = new RegExp(`${COMMON}[0-9a-f]{8}`, 'g');

const topics = [1, 2, 3, 4].map((partitions) => {
  const order = class { v!: number };
  Topic('orders', { partitions })(order);
  return topicOf(order);
});

/** One Redis, its clock and its network: all that the processes of a run share. */
export class World {
  readonly plan: Plan;
  readonly time: VirtualTime;
  readonly trace: Trace;
  readonly history = new History();
  readonly redis: Actor;
  readonly server: MemoryServer;
  readonly topic: TopicDefinition;
  readonly #strands: Strand[] = [];
  /** When the group was destroyed last, in virtual milliseconds. */
  destroyedAtMs = Number.NEGATIVE_INFINITY;
  /** When the last stranded request arrives, in virtual milliseconds. */
  #strandedUntilMs = 0;

  constructor(plan: Plan, time: VirtualTime, trace: Trace) {
    this.plan = plan;
    this.time = time;
    this.trace = trace;
    this.redis = time.actor('redis');
    this.topic = topics[plan.partitions - 1]!;
    this.server = new MemoryServer({
      nowMs: () => time.wallMs(this.redis),
      random: () => time.random(),
      after: (ms, work) => time.after(ms, work, this.redis),
    });
  }

  get isCalm(): boolean {
    return this.time.nowMs >= this.plan.calmAtMs;
  }

  /** Whether a stranded request is still on its way: what it does is to be seen. */
  get isStranded(): boolean {
    return this.time.nowMs <= this.#strandedUntilMs;
  }

  /** Whichever member sends the next request of a kind is stranded with it. */
  strand(strand: Strand): void {
    this.#strands.push(strand);
  }

  /** The fate of a packet of a process in this weather. */
  fate(packet: Packet, process: string): PacketFate {
    const fate = (this.#strands.length > 0 ? this.#strandedOf(packet, process) : null) ?? this.#drawn(packet.direction);
    if (isSettledAgain(packet)) this.history.settledAgain += 1;
    this.trace.addPacket(this.time.nowMs, packet, fate);
    return fate;
  }

  record(what: string): void {
    this.trace.add(this.time.nowMs, what.includes(COMMON) ? what.replace(ID, 'an id') : what);
  }

  #strandedOf(packet: Packet, process: string): number | null {
    const request = memberRequestIn(packet);
    const index = this.#strands.findIndex((strand) => strand.request === request && (strand.of ?? process) === process);
    if (index < 0 || this.isCalm) return null;
    const [{ lateMs, sent }] = this.#strands.splice(index, 1) as [Strand];
    sent(process);
    this.#strandedUntilMs = Math.max(this.#strandedUntilMs, this.time.nowMs + (lateMs ?? 0));
    return lateMs;
  }

  #drawn(direction: Packet['direction']): PacketFate {
    const { lost, silent, slow, late, unanswered, unheard } = this.plan.weather;
    const draw = this.time.random();
    const travelMs = this.time.random();
    if (this.isCalm) return travelMs;
    const special = { request: late, reply: unanswered, message: unheard, connect: 0 }[direction];
    if (draw >= lost + silent + slow + special) return travelMs;
    if (draw < lost) return 'lost';
    if (draw < lost + silent) return 'silent';
    if (draw < lost + silent + slow) return travelMs * SLOWEST_MS;
    return direction === 'request' ? travelMs * 4 * this.plan.leaseMs : 'lost';
  }

  /** Whether Redis has a message for settled: it is marked, and waits for no further attempt. */
  isSettled(partition: number, offset: number): boolean {
    if (offset < 0) return false;
    const group = `${PREFIX}:{${this.topic.name}:${partition}}:group:${GROUP}`;
    const isMarked = this.server.execute('GETBIT', `${group}:settled:${Math.floor(offset / PAGE)}`, offset % PAGE) === 1;
    return isMarked && this.server.execute('ZCOUNT', `${group}:open`, offset, offset) === 0;
  }
}

interface Strand {
  readonly request: MemberRequest;
  /** The process whose request it is; any without it. */
  readonly of?: string;
  /** So late it arrives; null: as the weather is. */
  readonly lateMs: number | null;
  /** Called with the name of the process that sent it. */
  readonly sent: (process: string) => void;
}

/** Offsets in a page of the settled bitmap; docs/keys-and-data.md has it. */
const PAGE = 65_536;
