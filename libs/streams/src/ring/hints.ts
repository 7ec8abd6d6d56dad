interface Hint {
  /** The last ring for the stream; empty before the first. */
  ring: string;
  /** When the stream is worth a read, by the monotonic clock, in milliseconds. */
  dueAtMs: number;
}

const NEVER = Number.POSITIVE_INFINITY;

/** Knows from rings which streams are worth a read; anything may stand for one. It compares no numbers: a log may begin anew. */
export class Hints<Stream> {
  readonly #hints: ReadonlyMap<Stream, Hint>;

  constructor(streams: readonly Stream[]) {
    this.#hints = new Map(streams.map((stream) => [stream, { ring: '', dueAtMs: NEVER }]));
  }

  /** Somebody has rung for a stream: it is worth a read from that moment on. */
  rung(stream: Stream, ring: string, dueAtMs: number): void {
    const hint = this.#hints.get(stream)!;
    hint.ring = ring;
    hint.dueAtMs = Math.min(hint.dueAtMs, dueAtMs);
  }

  /** A read that was sent after this ring has emptied the stream. */
  emptied(stream: Stream, ring: string): void {
    const hint = this.#hints.get(stream)!;
    if (hint.ring === ring) hint.dueAtMs = NEVER;
  }

  /** The stream may have entries, and is worth a read from that moment on. */
  left(stream: Stream, dueAtMs: number): void {
    this.#hints.get(stream)!.dueAtMs = dueAtMs;
  }

  /** Every stream may have entries. */
  all(nowMs: number): void {
    for (const hint of this.#hints.values()) hint.dueAtMs = nowMs;
  }

  /** No stream is worth a read until somebody rings. */
  none(): void {
    for (const hint of this.#hints.values()) hint.dueAtMs = NEVER;
  }

  /** The last ring for a stream; empty before the first. */
  of(stream: Stream): string {
    return this.#hints.get(stream)!.ring;
  }

  due(nowMs: number): Stream[] {
    return [...this.#hints].filter(([, { dueAtMs }]) => dueAtMs <= nowMs).map(([stream]) => stream);
  }

  /** When the next stream is due, by the monotonic clock, in milliseconds; infinite while none is. */
  get nextDueAtMs(): number {
    let next = NEVER;
    for (const { dueAtMs } of this.#hints.values()) next = Math.min(next, dueAtMs);
    return next;
  }
}
