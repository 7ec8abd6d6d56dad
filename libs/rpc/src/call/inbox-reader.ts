import { emit, errorRecord, Loop } from '@millrace/core';
import { BLOCK_MS, type RedisConnection, type Topology } from '@millrace/redis';
import { type AnswerFrame, parseAnswerField } from '../wire/answer-frame.js';
import { besideRead } from '../wire/beside-read.js';
import { parseStreamField, type StreamFrame } from '../wire/stream-frame.js';
import type { CallerCounters } from './caller-counters.js';

/** Most entries of one read. */
const PAGE = 512;
const READY_WAIT_MS = 1_000;
const FROM_THE_START = '0-0';

type Entry = readonly [id: string, fields: readonly string[]];

export interface InboxReaderParts {
  readonly redis: Topology;
  readonly key: string;
  readonly counters: CallerCounters;
  readonly onAnswer: (frame: AnswerFrame, value: string) => void;
  readonly onStream: (frame: StreamFrame, value: string) => void;
}

/**
 * Reads the inbox from the last entry on, over a connection of its own on which it waits. A new connection may lead to another
 * server, whose inbox lacks the last entries, and gives new ones lower ids: it is read from its start, without what is known.
 */
export class InboxReader {
  readonly #parts: InboxReaderParts;
  readonly #connection: RedisConnection;
  readonly #loop: Loop;
  /** Id -> the first field of each entry that was read and may still be there. */
  readonly #known = new Map<string, string>();
  #lastId = FROM_THE_START;
  #readIn = -1;
  #hasRead = false;

  constructor(parts: InboxReaderParts) {
    this.#parts = parts;
    this.#connection = parts.redis.blockingFor(parts.key, 'rpc-inbox');
    this.#loop = new Loop({
      name: 'rpc-inbox',
      round: (signal) => this.#round(signal),
      onError: (error, failures) => emit('loop-failed', { loop: 'rpc-inbox', error: errorRecord(error), failures }),
    });
  }

  /** Whether entries were read since {@link takeLastId}. */
  get hasRead(): boolean {
    return this.#hasRead;
  }

  start(): void {
    this.#loop.start();
  }

  /** The entry up to which all have been read; on a new connection that is not known. */
  takeLastId(): string {
    this.#hasRead = false;
    return this.#readIn === this.#connection.connectionEpoch ? this.#lastId : FROM_THE_START;
  }

  /** The entries before this one are not there any more. */
  dropped(upTo: string): void {
    if (!this.#known.has(upTo)) return;
    for (const id of this.#known.keys()) {
      if (id === upTo) break;
      this.#known.delete(id);
    }
  }

  /** The inbox is a new one: its entries may have lower ids. */
  restart(): void {
    this.#lastId = FROM_THE_START;
    this.#known.clear();
  }

  async stop(): Promise<void> {
    const stopped = this.#loop.stop();
    this.#connection.close();
    await stopped;
  }

  async #round(signal: AbortSignal): Promise<number> {
    if (!this.#connection.isReady && !(await this.#connection.whenReady(READY_WAIT_MS, signal))) return 0;
    const { key } = this.#parts;
    const { connectionEpoch } = this.#connection;
    if (this.#readIn !== connectionEpoch) this.#lastId = FROM_THE_START;
    this.#readIn = connectionEpoch;
    const reply = await this.#connection.call('XREAD', 'COUNT', PAGE, 'BLOCK', BLOCK_MS, 'STREAMS', key, this.#lastId);
    const entries = (reply as [string, Entry[]][] | null)?.[0]?.[1] ?? [];
    if (entries.length === 0) return 0;
    this.#lastId = entries.at(-1)![0];
    this.#hasRead = true;
    await besideRead(fieldsOf(entries) / 2, () => this.#deliver(entries));
    return 0;
  }

  #deliver(entries: readonly Entry[]): void {
    for (const [id, fields] of entries) {
      if (this.#known.get(id) === fields[0]) continue;
      this.#known.set(id, fields[0] ?? '');
      for (let index = 0; index + 1 < fields.length; index += 2) this.#answered(fields[index], fields[index + 1]!);
    }
  }

  #answered(field: unknown, value: string): void {
    const { counters, onAnswer, onStream } = this.#parts;
    const frame = parseAnswerField(field);
    if (frame !== null) return onAnswer(frame, value);
    const part = parseStreamField(field);
    if (part === null) counters.malformed += 1;
    else onStream(part, value);
  }
}

function fieldsOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, [, fields]) => sum + fields.length, 0);
}
