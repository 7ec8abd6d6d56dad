import type { GroupStream } from '../consume/group-partition.js';

/** Messages in an entry, as long as none has come: the most that publishers pack. */
const UNKNOWN_SIZE = 16;
/** Most entries of one read: publishers may have begun to make larger ones. */
const MOST_ENTRIES = 128;

/** Reads of all streams that bring something sooner than this, one after the other, show that much comes. */
const RUSH_MS = 5;
/** In this time each empty stream is read once, while others have messages. */
const WHOLE_TURN_MS = 200;

/** A stream to be read, and the most messages to take from it. */
export interface Turn {
  readonly stream: GroupStream;
  readonly most: number;
}

/**
 * Plans how many entries to ask of which streams. Redis counts entries and members have slots for messages, so it divides the
 * room by the size of the last entries of the stream.
 */
export class FetchPlan {
  /** Messages in the last entries of each log. */
  readonly #sizes = new Map<GroupStream, number>();
  #lastSize = UNKNOWN_SIZE;
  /** Stream of retries -> messages that this member may take from it first: as many as it has put back there. */
  readonly #overFetched = new Map<GroupStream, number>();
  /** Streams that were empty when they were read last, in the order in which they were read. */
  readonly #empty = new Set<GroupStream>();
  #emptyReadAtMs = 0;
  #turn = 0;
  #areCalm = false;
  /** When a read of all streams brought something last. */
  #broughtAtMs = Number.NEGATIVE_INFINITY;

  /** How many entries to ask of each stream when one read asks all; 0 when there is too little room. */
  ofEach(streams: readonly GroupStream[], room: number): number {
    const round = streams.reduce((messages, stream) => messages + this.#sizeOf(stream), 0);
    return Math.min(MOST_ENTRIES, Math.floor(room / round));
  }

  /** How many entries to ask of this stream alone. */
  of(stream: GroupStream, room: number): number {
    return Math.max(1, Math.min(MOST_ENTRIES, Math.floor(room / this.#sizeOf(stream))));
  }

  /**
   * The order in which to read. First come streams with messages that this member put back, since more would gather with each
   * entry of the log; but it takes no more than those, so that other retries do not keep the logs waiting. Then come some of the
   * streams that were empty when they were read last: so many that each has its turn within 200 ms, and a busy stream does not
   * wait for all of them. The others follow in turn, from the one behind the end of the last round.
   *
   * @param nowMs by the monotonic clock
   */
  *inTurn(streams: readonly GroupStream[], nowMs: number): Generator<Turn> {
    for (const [stream, most] of this.#overFetched) yield { stream, most };
    for (const stream of this.#emptyOnes(streams, nowMs)) yield { stream, most: Infinity };
    for (let asked = 0; asked < streams.length; asked += 1) {
      this.#turn = (this.#turn + 1) % streams.length;
      const stream = streams[this.#turn]!;
      if (!this.#empty.has(stream)) yield { stream, most: Infinity };
    }
  }

  /** The empty streams whose turn it is: those that have not been read for the longest. */
  #emptyOnes(streams: readonly GroupStream[], nowMs: number): GroupStream[] {
    const turns = Math.ceil((this.#empty.size * (nowMs - this.#emptyReadAtMs)) / WHOLE_TURN_MS);
    this.#emptyReadAtMs = nowMs;
    const wanted = new Set(streams);
    return [...this.#empty].filter((stream) => wanted.has(stream)).slice(0, turns);
  }

  /** These streams may have messages again. */
  mayHave(streams: readonly GroupStream[]): void {
    for (const stream of streams) this.#empty.delete(stream);
  }

  /** @param entries at least one */
  brought(stream: GroupStream, entries: number, messages: number): void {
    this.#empty.delete(stream);
    if (stream.kind === 'again') this.#addOverFetched(stream, -messages);
    else {
      this.#lastSize = Math.ceil(messages / entries);
      this.#sizes.set(stream, this.#lastSize);
    }
  }

  /** All streams were empty: publishers keep up with sending, so the next entries hold one message each. */
  wereEmpty(): void {
    this.#sizes.clear();
    this.#lastSize = 1;
  }

  /**
   * One read has asked all streams, when there was room for so many messages. When such a read brings something again within
   * 5 ms, a stream may have more than the one entry that it takes from each.
   *
   * @param nowMs by the monotonic clock
   */
  broughtAll(messages: number, room: number, nowMs: number): void {
    const isRush = messages > 0 && nowMs - this.#broughtAtMs < RUSH_MS;
    if (messages > 0) this.#broughtAtMs = nowMs;
    this.#emptyReadAtMs = nowMs;
    this.#areCalm = messages * 2 <= room && !isRush;
  }

  /** Whether so little comes that one read may ask all streams, though together they could exceed the room. */
  get areCalm(): boolean {
    return this.#areCalm && this.#overFetched.size === 0;
  }

  /** The stream was read and was empty. */
  wasEmpty(stream: GroupStream): void {
    this.#overFetched.delete(stream);
    // It comes behind all others that are empty.
    this.#empty.delete(stream);
    this.#empty.add(stream);
  }

  /** A message was put back into this stream. */
  overFetched(stream: GroupStream): void {
    this.#addOverFetched(stream, 1);
  }

  #addOverFetched(stream: GroupStream, messages: number): void {
    const left = (this.#overFetched.get(stream) ?? 0) + messages;
    if (left > 0) this.#overFetched.set(stream, left);
    else this.#overFetched.delete(stream);
  }

  #sizeOf(stream: GroupStream): number {
    return stream.kind === 'again' ? 1 : (this.#sizes.get(stream) ?? this.#lastSize);
  }
}
