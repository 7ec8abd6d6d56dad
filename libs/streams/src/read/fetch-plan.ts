import type { GroupStream } from '../consume/group-partition.js';

/** Until an entry has shown how large they are, they are taken to be as large as publishers make them. */
const UNKNOWN_SIZE = 16;
/** No read asks for more: publishers may have begun to make larger ones. */
const MOST_ENTRIES = 128;

/** A stream to be asked, for so many messages at the most. */
export interface Turn {
  readonly stream: GroupStream;
  readonly most: number;
}

/**
 * How many entries to ask of which streams. Redis counts entries and members have slots for messages, so each stream is
 * asked for as many entries of the size of its last ones as there is room for.
 */
export class FetchPlan {
  /** Messages an entry, of the log of a partition. */
  readonly #sizes = new Map<GroupStream, number>();
  #lastSize = UNKNOWN_SIZE;
  /** Streams of what comes again -> how many messages this member may take from them first: as many as it gave back there. */
  readonly #overFetched = new Map<GroupStream, number>();
  #turn = 0;
  #areCalm = false;

  /** How many entries to ask of each when all of these are asked at once; 0 when there is not that much room. */
  ofEach(streams: readonly GroupStream[], room: number): number {
    const round = streams.reduce((messages, stream) => messages + this.#sizeOf(stream), 0);
    return Math.min(MOST_ENTRIES, Math.floor(room / round));
  }

  /** How many entries to ask of this one alone. */
  of(stream: GroupStream, room: number): number {
    return Math.max(1, Math.min(MOST_ENTRIES, Math.floor(room / this.#sizeOf(stream))));
  }

  /**
   * Each of these streams once: first those with what was given back, or it would become more with each entry of the log, but
   * for no more than that, or what else waits there would keep the others waiting; then in turn, beginning behind the one at
   * which the last round ended.
   */
  *inTurn(streams: readonly GroupStream[]): Generator<Turn> {
    for (const [stream, most] of this.#overFetched) yield { stream, most };
    for (let asked = 0; asked < streams.length; asked += 1) {
      this.#turn = (this.#turn + 1) % streams.length;
      yield { stream: streams[this.#turn]!, most: Infinity };
    }
  }

  /** @param entries more than none */
  brought(stream: GroupStream, entries: number, messages: number): void {
    if (stream.kind === 'again') this.#addOverFetched(stream, -messages);
    else {
      this.#lastSize = Math.ceil(messages / entries);
      this.#sizes.set(stream, this.#lastSize);
    }
  }

  /** No stream had anything: what comes next is not packed, as no publisher had more than it could send. */
  wereEmpty(): void {
    this.#sizes.clear();
    this.#lastSize = 1;
  }

  /** All were asked at once, when there was room for so many messages. */
  broughtAll(messages: number, room: number): void {
    this.#areCalm = messages * 2 <= room;
  }

  /** Whether so little comes that all may be asked at once, though each could have more than there is room for. */
  get areCalm(): boolean {
    return this.#areCalm && this.#overFetched.size === 0;
  }

  /** The stream was asked and had nothing. */
  wasEmpty(stream: GroupStream): void {
    this.#overFetched.delete(stream);
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
