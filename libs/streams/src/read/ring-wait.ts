import type { Feedback } from '../consume/feedback.js';
import type { GroupPartition, GroupStream } from '../consume/group-partition.js';
import { RecentCount } from '../consume/recent-count.js';
import type { Membership } from '../group/membership.js';
import { Hints } from '../ring/hints.js';
import { LookWait } from '../ring/look-wait.js';
import { endOf, memberChannel, type Ring, ringOf } from '../ring/ring-text.js';
import type { Ear, RingListener, Rings } from '../ring/rings.js';

/** How often all streams are looked at while not every ring is heard. */
const LOOK_DEAF_EVERY_MS = 1_000;
/** A member waits so long for each member that comes before it for a ring, up to a limit. */
const TURN_MS = 10;
const LONGEST_TURN_MS = 200;
/** A subscription that gets so many messages or rings a second is busy. */
const BUSY = 10;
const SECOND_MS = 1_000;

export interface RingWaitParts {
  readonly rings: Rings;
  readonly places: readonly GroupPartition[];
  /** The rank of this member among those that may read what somebody rings for: 0 is the first. */
  readonly membership: Pick<Membership, 'rankFor'>;
  /** Present: what is handed over to this member is heard as well. */
  readonly member?: string;
  readonly feedback: Pick<Feedback, 'controlled' | 'delayed' | 'due' | 'ringsMissed' | 'handedOver'>;
}

/** Knows which streams of a subscription are worth a read: those that somebody has rung for, and all of them now and then. */
export class RingWait implements RingListener {
  readonly #parts: RingWaitParts;
  readonly #hints: Hints<GroupStream>;
  readonly #wait: LookWait<GroupStream>;
  readonly #recent = new RecentCount(SECOND_MS);
  readonly #byChannel: ReadonlyMap<string, GroupPartition>;
  /** By log, the last ring of which this member had the entries before. */
  readonly #known = new Map<GroupStream, string>();
  #ear: Ear | null = null;

  constructor(parts: RingWaitParts) {
    this.#parts = parts;
    this.#hints = new Hints(parts.places.flatMap(({ streams }) => streams));
    this.#wait = new LookWait({ hints: this.#hints, deafEveryMs: LOOK_DEAF_EVERY_MS, isListening: () => this.isListening });
    const { places, member } = parts;
    this.#byChannel = new Map(places.flatMap((place) => channelsOf(place, member).map((channel) => [channel, place])));
  }

  listen(): void {
    this.#ear ??= this.#parts.rings.listen([...this.#byChannel.keys()], this);
  }

  /** The other way of reading finds all messages. */
  mute(): void {
    this.close();
    this.#hints.none();
  }

  close(): void {
    if (this.#ear === null) return;
    this.#ear.close();
    this.#ear = null;
    this.#parts.feedback.ringsMissed();
  }

  get isListening(): boolean {
    return this.#ear?.isOpen ?? false;
  }

  get isMuted(): boolean {
    return this.#ear === null;
  }

  /** Whether so much comes that a read that waits inside Redis costs less than rings. */
  get isBusy(): boolean {
    return this.#recent.of(performance.now()) >= BUSY;
  }

  heard(channel: string, text: string): void {
    const partition = this.#byChannel.get(channel)!;
    const ring = ringOf(text);
    if (ring === null || ('group' in ring && ring.group !== partition.group)) return;
    const isNews = this.#hear(partition, ring);
    if (isNews) this.#wait.wake();
  }

  readonly opened = (): void => {
    this.#parts.feedback.ringsMissed();
    this.lookAtAll();
  };

  readonly lost = (): void => {
    this.#parts.feedback.ringsMissed();
    this.#wait.lookSoon();
  };

  /** Messages may have come for which nobody has rung. */
  lookAtAll(): void {
    this.#wait.lookNow();
  }

  /** Resolves when a read pays, or when the signal aborts. */
  whenDue(signal: AbortSignal): Promise<void> {
    return this.#wait.whenDue(signal);
  }

  /** Streams that are worth a read now. */
  due(): GroupStream[] {
    return this.#wait.due();
  }

  /** The last ring for a stream; empty before the first. */
  lastFor(stream: GroupStream): string {
    return this.#hints.of(stream);
  }

  /**
   * A read that was sent after this ring has brought so many messages.
   *
   * @param isAll whether it left nothing in the stream
   */
  read(stream: GroupStream, ring: string, { messages, isAll }: { messages: number; isAll: boolean }): void {
    this.#recent.add(messages);
    if (isAll) this.#hints.emptied(stream, ring);
    else this.#hints.left(stream, performance.now());
  }

  /** The stream is worth a read, but no sooner than in so many milliseconds. */
  putOff(stream: GroupStream, forMs: number): void {
    this.#hints.left(stream, performance.now() + forMs);
  }

  /** The stream may have messages for which nobody rings any more. */
  lookAt(stream: GroupStream): void {
    this.putOff(stream, 0);
    this.#wait.wake();
  }

  /** @returns whether there may be something to do */
  #hear(partition: GroupPartition, ring: Ring): boolean {
    const [log, again] = partition.streams;
    if (ring.kind === 'given') return this.#given(log, ring);
    if (ring.kind === 'log' && this.#known.get(log) === ring.id) return false;
    if (ring.kind === 'log') this.#rung(log, ring.id);
    else if (ring.kind === 'again') this.#rung(again, ring.id);
    else if (ring.kind === 'taken') this.#hints.emptied(ring.stream === 'log' ? log : again, ring.id);
    else if (ring.kind === 'delayed') this.#parts.feedback.delayed();
    else if (ring.kind === 'due') this.#parts.feedback.due(partition, ring.inMs);
    else this.#control(partition);
    return true;
  }

  #control(partition: GroupPartition): void {
    this.#parts.feedback.controlled(partition);
    this.lookAtAll();
  }

  /** The ring with this id follows: it says nothing new when all up to it is taken in, and leads to a read otherwise. */
  #given(log: GroupStream, { id, given }: Ring & { readonly kind: 'given' }): boolean {
    const isTaken = this.#parts.feedback.handedOver(log.partition, given);
    if (isTaken && id.endsWith(`-${endOf(given)}`)) this.#known.set(log, id);
    return false;
  }

  #rung(stream: GroupStream, id: string): void {
    this.#recent.add();
    const rank = this.#parts.membership.rankFor(`${stream.key}/${id}`);
    this.#hints.rung(stream, id, performance.now() + Math.min(rank * TURN_MS, LONGEST_TURN_MS));
  }
}

function channelsOf({ keys }: GroupPartition, member: string | undefined): string[] {
  return member === undefined ? [keys.ring] : [keys.ring, memberChannel(keys.ring, member)];
}
