import type { Delivery, Forward, Message, MillraceError, PartitionOwner } from '@millrace/core';
import { isMillraceError, presentSpans } from '@millrace/core';
import { type EntryFields, entryOf, fieldsOf } from '../log/entry.js';
import { decodeEnvelope, malformed, unreadMessage } from '../log/envelope.js';
import type { Forwarded } from '../forward/forward-text.js';
import type { GroupStream } from './group-partition.js';
import { HeldEntry, type Moment, type Token } from './held-entry.js';
import type { Replay } from '../group/replays.js';

/** Earlier deliveries of a message to the group, and how they ended. */
export interface History {
  /** Handler failures so far plus one. */
  readonly attempt: number;
  /** How often a process vanished with the message: the first time any that held it, later only one that had begun it. */
  readonly crashes: number;
  /** When its first attempt failed, in Unix milliseconds; null when none did. */
  readonly firstFailedAt: number | null;
}

interface Found {
  readonly offset: number;
  readonly envelope: string;
  /** Why the text is no message, where that is known already. */
  readonly fault?: MillraceError;
}

/** A message of the log that is not settled was never given to the group before. */
const FIRST_TIME: History = { attempt: 1, crashes: 0, firstFailedAt: null };

const EMPTY = unreadMessage('null');
const NO_FORWARDS: readonly Forward[] = [];

const NO_REPLAY = { replay: 0, forced: false } as const;

/** One message to be handled, out of an entry that this member holds. The handler gets this very object. */
export class PendingDelivery implements Delivery {
  readonly entry: HeldEntry;
  readonly offset: number;
  readonly attempt: number;
  readonly crashes: number;
  readonly firstFailedAt: number | null;
  /** The text exactly as it is stored; empty once the message is {@link dealtWith}. */
  envelope: string;
  message: Message;
  /** Why the envelope cannot be read as a message; null when it can. */
  readonly fault: MillraceError | null;
  /** Since when it waits for a handler, by the monotonic clock, in milliseconds. */
  waitsSince = 0;
  /** When its handler began, by the monotonic clock, in milliseconds; 0 while nobody listens. */
  begunAtMs = 0;
  /** It begins no sooner, by the monotonic clock, in milliseconds. */
  notBeforeMs = 0;
  /** In ordered mode: whether Redis has a record of its attempts, which is to go when it is settled. */
  isNoted = false;
  /** Messages and jobs that go out with its settlement. */
  forwards: readonly Forward[] = NO_FORWARDS;
  /** The same as they are stored; null without any. */
  forwarded: Forwarded | null = null;
  paused: AbortSignal | undefined = undefined;
  onDone: (() => void) | undefined = undefined;
  /** The seek by which the group is given it again; null when none did. */
  replayedBy: Replay | null = null;

  constructor(entry: HeldEntry, found: Found, history: History = FIRST_TIME) {
    this.entry = entry;
    this.offset = found.offset;
    this.envelope = found.envelope;
    this.attempt = history.attempt;
    this.crashes = history.crashes;
    this.firstFailedAt = history.firstFailedAt;
    const message = found.fault ?? decoded(found.envelope);
    const isReadable = !(message instanceof Error);
    this.message = isReadable ? message : unreadMessage(found.envelope);
    this.fault = isReadable ? null : message;
  }

  /**
   * Keeps nothing but the id. The content would else be kept until Redis has settled the message: with messages of 10 KB, garbage
   * collection takes half of a consumer's time then.
   */
  dealtWith(): void {
    this.envelope = '';
    const { id, headers } = this.message;
    // A tracer links the span of the settlement to those that they name.
    this.message = presentSpans() === null ? { ...EMPTY, id } : { ...EMPTY, id, headers };
  }

  /** Names it among the messages that a group holds in a partition. */
  get name(): string {
    const { stream, id } = this.entry;
    return stream.kind === 'log' && this.offset >= 0 ? String(this.offset) : id;
  }

  /** The same message with another history. */
  with(history: Partial<History>): PendingDelivery {
    const { attempt, crashes, firstFailedAt, offset, envelope } = this;
    const fault = this.fault ? { fault: this.fault } : {};
    return new PendingDelivery(this.entry, { offset, envelope, ...fault }, { attempt, crashes, firstFailedAt, ...history });
  }

  get topic(): string {
    return this.entry.stream.partition.topic;
  }

  get partition(): number {
    return this.entry.stream.partition.partition;
  }

  get group(): string {
    return this.entry.stream.partition.group;
  }

  get owner(): PartitionOwner | undefined {
    return this.entry.owner;
  }

  get lease(): HeldEntry {
    return this.entry;
  }

  get signal(): AbortSignal {
    return this.entry.signal;
  }

  /** A message of a released key is settled by a script of its own. */
  get mayForward(): boolean {
    return this.entry.stream.kind !== 'parked';
  }

  get replayed(): boolean {
    return this.replayedBy !== null;
  }

  /** A copy that was redriven out of a replay is part of that replay, until there is a later one. */
  get replay(): number {
    return Math.max(this.replayedBy?.number ?? 0, this.#redrive.replay);
  }

  get forced(): boolean {
    const { replay, forced } = this.#redrive;
    return (this.replayedBy?.number ?? 0) >= replay ? (this.replayedBy?.forced ?? false) : forced;
  }

  /** The replay that it was redriven out of, where that was one of its group. */
  get #redrive(): { readonly replay: number; readonly forced: boolean } {
    const { redrive } = this.message;
    return redrive?.group === this.group ? { replay: redrive.replay ?? 0, forced: redrive.forced ?? false } : NO_REPLAY;
  }
}

/** A copy of a message that comes again. */
type AgainCopy = readonly [offset: number, attempt: number, crashes: number, firstFailedAt: number | null, envelope: string];

export interface ReadEntry {
  readonly id: string;
  readonly fields: EntryFields;
}

/** An entry that this member holds, with the messages that it carries. */
export interface OpenedEntry {
  readonly entry: HeldEntry;
  readonly deliveries: readonly PendingDelivery[];
}

/** The messages of one entry. An unreadable entry counts as one message, to be dead-lettered as it is. */
export function deliveriesOf(stream: GroupStream, read: ReadEntry, moment: Omit<Moment, 'returns'>): OpenedEntry {
  const token = { ...moment, id: read.id };
  return stream.kind === 'log' ? deliveriesOfLog(stream, read, token) : deliveriesOfAgain(stream, read, token);
}

/** The text under which a message waits: its history, since its offset leads to the rest; all of it when it has no offset. */
export function waitingOf(delivery: PendingDelivery, next: { attempt: number; firstFailedAt: number | null }): string {
  const { offset, crashes, envelope } = delivery;
  if (offset >= 0) return `${next.attempt} ${crashes} ${next.firstFailedAt ?? '-'}`;
  const copy: AgainCopy = [offset, next.attempt, crashes, next.firstFailedAt, envelope];
  return JSON.stringify(copy);
}

function deliveriesOfLog(stream: GroupStream, read: ReadEntry, token: Token): OpenedEntry {
  const found = entryOf(read.id, read.fields);
  if (!found) return unreadable(stream, read, token);
  const { base, envelopes } = found;
  const entry = new HeldEntry(stream, token, { base, size: envelopes.length });
  const deliveries = envelopes.map((envelope, index) => new PendingDelivery(entry, { offset: base + index, envelope }));
  return { entry, deliveries };
}

function deliveriesOfAgain(stream: GroupStream, read: ReadEntry, token: Token): OpenedEntry {
  const copy = parseCopy(fieldsOf(read.fields).get('r'));
  if (!copy) return unreadable(stream, read, token);
  const [offset, attempt, crashes, firstFailedAt, envelope] = copy;
  const entry = new HeldEntry(stream, token, { base: offset, size: 1 });
  return { entry, deliveries: [new PendingDelivery(entry, { offset, envelope }, { attempt, crashes, firstFailedAt })] };
}

/** An entry that Millrace did not write has no offset: -1 stands for it, and settling it touches no bitmap. */
function unreadable(stream: GroupStream, read: ReadEntry, token: Token): OpenedEntry {
  const entry = new HeldEntry(stream, token, { base: -1, size: 1 });
  const fault = malformed('its fields are not those of an entry');
  return { entry, deliveries: [new PendingDelivery(entry, { offset: -1, envelope: JSON.stringify(read.fields), fault })] };
}

function decoded(envelope: string): Message | MillraceError {
  try {
    return decodeEnvelope(envelope);
  } catch (error) {
    if (isMillraceError(error)) return error;
    throw error;
  }
}

function parseCopy(text: string | undefined): AgainCopy | null {
  try {
    const copy: unknown = JSON.parse(text ?? '');
    const [offset, attempt, crashes, , envelope] = Array.isArray(copy) ? (copy as unknown[]) : [];
    const good = Number.isSafeInteger(offset) && Number.isSafeInteger(attempt) && Number.isSafeInteger(crashes) && typeof envelope === 'string';
    return good ? (copy as AgainCopy) : null;
  } catch {
    return null;
  }
}
