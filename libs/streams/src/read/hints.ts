import type { GroupStream } from '../consume/group-partition.js';

interface Hint {
  /** The last ring for it; empty before the first. */
  ring: string;
  /** When it is worth a read, by the monotonic clock, in milliseconds. */
  dueAtMs: number;
}

const NEVER = Number.POSITIVE_INFINITY;

/** Which streams of a subscription are worth a read, as far as rings tell. No number is compared: a log may begin anew. */
export class Hints {
  readonly #hints: ReadonlyMap<GroupStream, Hint>;

  constructor(streams: readonly GroupStream[]) {
    this.#hints = new Map(streams.map((stream) => [stream, { ring: '', dueAtMs: NEVER }]));
  }

  /** Somebody has rung for a stream: it is worth a read from that moment on. */
  rung(stream: GroupStream, ring: string, dueAtMs: number): void {
    const hint = this.#hints.get(stream)!;
    hint.ring = ring;
    hint.dueAtMs = Math.min(hint.dueAtMs, dueAtMs);
  }

  /** A read that was sent after this ring has left nothing there. */
  emptied(stream: GroupStream, ring: string): void {
    const hint = this.#hints.get(stream)!;
    if (hint.ring === ring) hint.dueAtMs = NEVER;
  }

  /** A read has left something there, perhaps. */
  left(stream: GroupStream, nowMs: number): void {
    this.#hints.get(stream)!.dueAtMs = nowMs;
  }

  /** Every stream may have something. */
  all(nowMs: number): void {
    for (const hint of this.#hints.values()) hint.dueAtMs = nowMs;
  }

  /** No stream is worth a read until somebody rings. */
  none(): void {
    for (const hint of this.#hints.values()) hint.dueAtMs = NEVER;
  }

  /** The last ring for a stream; empty before the first. */
  of(stream: GroupStream): string {
    return this.#hints.get(stream)!.ring;
  }

  due(nowMs: number): GroupStream[] {
    return [...this.#hints].filter(([, { dueAtMs }]) => dueAtMs <= nowMs).map(([stream]) => stream);
  }

  /** By the monotonic clock, in milliseconds; infinite while nothing is due. */
  get nextDueAtMs(): number {
    let next = NEVER;
    for (const { dueAtMs } of this.#hints.values()) next = Math.min(next, dueAtMs);
    return next;
  }
}
