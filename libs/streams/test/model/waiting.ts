import { isDeepStrictEqual } from 'node:util';
import type { Stored, Stream } from './stream.js';

/** A message that waits, or a foreign copy that waits as it is. */
export interface Waiting {
  readonly message: Stored;
  readonly isCopy: boolean;
  isRipe: boolean;
}

export type When = 'now' | 'due' | 'later';

/** The messages of a group that wait for another attempt: their records, times and texts. */
export class WaitingMessages {
  /** The first due first: messages by their offsets, and copies without a record. */
  due: Waiting[] = [];
  /** The records of messages that left the log for another attempt and are not done, by offset. */
  readonly open = new Map<number, Pick<Stored, 'attempt' | 'crashes'>>();
  /** Texts that are stored outside the log. */
  readonly #bodies = new Map<number, string>();
  readonly #log: Stream;
  readonly #again: Stream;

  constructor(log: Stream, again: Stream) {
    this.#log = log;
    this.#again = again;
  }

  add(message: Stored, when: When): void {
    const { offset, attempt, crashes } = message;
    this.open.set(offset, { attempt, crashes });
    this.due = this.due.filter((waiting) => waiting.isCopy || waiting.message.offset !== offset);
    if (when === 'now') this.#again.add([message]);
    else this.due.push({ message, isCopy: false, isRipe: when === 'due' });
  }

  addCopy(message: Stored, when: When): void {
    if (when === 'now') {
      this.#again.add([message]);
      return;
    }
    const isSame = (waiting: Waiting): boolean => waiting.isCopy && isDeepStrictEqual(waiting.message, message);
    this.due = this.due.filter((waiting) => !isSame(waiting));
    this.due.push({ message, isCopy: true, isRipe: when === 'due' });
  }

  /** @returns whether it had a record */
  forget(offset: number): boolean {
    this.due = this.due.filter(({ message, isCopy }) => isCopy || message.offset !== offset);
    this.#bodies.delete(offset);
    return this.open.delete(offset);
  }

  textOf(offset: number): string | null {
    const stored = this.#log.entries.filter(({ isThere }) => isThere).flatMap(({ messages }) => messages);
    return this.#bodies.get(offset) ?? stored.find((message) => message.offset === offset)?.envelope ?? null;
  }

  ripen(): void {
    for (const waiting of this.due) waiting.isRipe = true;
  }

  /** A message without a text stops waiting; the audit finds it. @returns how many were moved */
  move(limit: number): number {
    const ripe = this.due.filter(({ isRipe }) => isRipe).slice(0, limit);
    for (const { message, isCopy } of ripe) {
      const envelope = isCopy ? message.envelope : this.textOf(message.offset);
      if (envelope !== null) this.#again.add([{ ...message, envelope }]);
    }
    this.due = this.due.filter((waiting) => !ripe.includes(waiting));
    return ripe.length;
  }

  get next(): 'due' | 'later' | 'none' {
    if (this.due.length === 0) return 'none';
    return this.due.some(({ isRipe }) => isRipe) ? 'due' : 'later';
  }

  /** A message that has a record and does not wait is made to wait or, without a text, lost. */
  findMissing(): void {
    if (this.open.size <= this.#count) return;
    const names = this.due.filter(({ isCopy }) => !isCopy).map(({ message }) => message);
    const waiting = new Set([...this.#copies, ...names].map(({ offset }) => offset));
    for (const offset of [...this.open.keys()].filter((each) => !waiting.has(each)).sort((a, b) => a - b)) {
      const envelope = this.textOf(offset);
      if (envelope === null) this.forget(offset);
      else this.due.push({ message: { offset, envelope, ...this.open.get(offset)! }, isCopy: false, isRipe: true });
    }
  }

  /** @returns how many copies got a record */
  record(): number {
    if (this.open.size >= this.#count) return 0;
    const before = this.open.size;
    for (const message of new Map(this.#copies.map((each) => [each.offset, each])).values()) this.#record(message);
    const inOrder = this.due.toSorted((one, other) => Number(other.isRipe) - Number(one.isRipe));
    const recorded = new Set(inOrder.filter(({ isCopy, message }) => isCopy && this.#record(message)));
    this.due = this.due.map((waiting) => (recorded.has(waiting) ? { ...waiting, isCopy: false } : waiting));
    return this.open.size - before;
  }

  #record({ offset, attempt, crashes, envelope }: Stored): boolean {
    if (offset < 0 || this.open.has(offset)) return false;
    this.open.set(offset, { attempt, crashes });
    this.#bodies.set(offset, envelope);
    return true;
  }

  /** The messages in `again`, held by a member or not. */
  get #copies(): Stored[] {
    return this.#again.entries.flatMap(({ isThere, messages }) => (isThere ? messages : []));
  }

  get #count(): number {
    return this.#copies.length + this.due.length;
  }
}
