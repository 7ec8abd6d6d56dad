import { emit, errorRecord, Loop } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import type { Dispatcher } from '../consume/dispatcher.js';
import type { Feedback } from '../consume/feedback.js';
import type { Fetching } from '../consume/fetching.js';
import type { GroupPartition, GroupStream } from '../consume/group-partition.js';
import { type Page, pagesOf } from '../log/pages.js';
import { allTurns, turnOf } from '../log/turns.js';
import { FetchPlan } from '../read/fetch-plan.js';
import { ConnectionReaders } from '../read/connection-readers.js';
import type { ReadWay } from '../read/read-way.js';
import type { RingWait } from '../read/ring-wait.js';
import type { LaneQueue } from './lane-queue.js';
import type { OwnedPartition, ReadPosition } from './owned-partition.js';
import type { HandedOver } from '../ring/ring-text.js';
import { OpenFetch } from './open-fetch.js';
import { OWNER } from '../own/owner-consumer.js';
import type { RaiseGates } from './raise-gates.js';

const fetch = loadScript('../scripts/fetch.lua', import.meta.url);

/** Most partitions in one call. */
const MOST_PARTITIONS = 16;
/** Messages of one partition that wait here at the most, most of them behind others of their key. */
const MOST_WAITING = 256;
/** A partition that has no room for more is read again when so few wait: a read for each that is settled would cost too much. */
const FEW_WAITING = MOST_WAITING / 2;
/** Reads nothing of the log, and leaves nothing open there. */
const NOTHING_MORE = '-';
/** When to look again whether this member owns a partition after all. */
const LOST_FOR_MS = 200;
/** When to look again whether the group has settled what was published before a raise. */
const HELD_FOR_MS = 100;

export interface OwnedFetcherParts {
  readonly way: ReadWay;
  readonly rings: RingWait;
  readonly member: string;
  readonly partitions: ReadonlyMap<GroupPartition, OwnedPartition>;
  readonly feedback: Pick<Feedback, 'isLost' | 'recover' | 'rejoin' | 'givenAgain'>;
  readonly dispatcher: Dispatcher;
  readonly queue: LaneQueue;
  readonly gates: RaiseGates;
}

type Entries = readonly (readonly [id: string, fields: string[]])[];
type Reply = 'LOST' | readonly [log: Entries, again: Entries, heldBy: string, handedOver: string, openFrom: string];

/** A partition to be read, where, and how many entries of each stream. */
interface Turn {
  readonly partition: OwnedPartition;
  readonly position: ReadPosition;
  readonly count: number;
  readonly streams: ReadonlySet<GroupStream>;
  /** By stream, the last ring for it. */
  readonly rung: ReadonlyMap<GroupStream, string>;
}

/** Reads the partitions that a member owns, when somebody rings: all that are worth it in one call for each connection. */
export class OwnedFetcher implements Fetching {
  readonly #parts: OwnedFetcherParts;
  readonly #plan = new FetchPlan();
  readonly #readers: ConnectionReaders;
  readonly #loop: Loop;
  readonly #group: string;
  readonly #open: ReadonlyMap<OwnedPartition, OpenFetch>;
  /** Partitions that are not read before few of their messages wait. */
  readonly #full = new Set<OwnedPartition>();
  #fetching: Promise<void> = Promise.resolve();
  polledAtMs = 0;

  constructor(parts: OwnedFetcherParts) {
    this.#parts = parts;
    const places = [...parts.partitions.keys()];
    this.#group = places[0]!.group;
    this.#readers = new ConnectionReaders({ ...parts, places, onRejoined: nothing });
    this.#open = new Map([...parts.partitions.values()].map((partition) => [partition, this.#openFetchOf(partition)]));
    this.#loop = new Loop({ name: 'fetch', round: (signal) => this.#round(signal), onError: (error, failures) => this.#failed(error, failures) });
  }

  start(): void {
    this.#parts.rings.listen();
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#readers.rest();
    this.#parts.rings.close();
  }

  abandon(): void {
    this.#parts.rings.close();
    void this.#loop.stop();
  }

  /** Nothing more is handed over, either, unless Redis cannot be asked: what the owner holds then is read again later. */
  async rest(): Promise<void> {
    await this.#fetching;
    await this.#readers.rest();
    const open = [...this.#open].flatMap(([partition, fetch]) => (fetch.isOpen ? closingOf(partition) : []));
    await this.#readPages(open).catch(nothing);
  }

  problem(): string | null {
    return this.#readers.problem();
  }

  lostSight(why: string): void {
    this.#readers.doubt(why, 'read');
    this.#parts.rings.lookAtAll();
  }

  async #round(signal: AbortSignal): Promise<number> {
    const { rings, dispatcher } = this.#parts;
    await rings.whenDue(signal);
    await dispatcher.whenFree(signal);
    if (signal.aborted) return 0;
    const filling = this.#fill(signal);
    this.#fetching = filling.then(nothing, nothing);
    await filling;
    if (this.#readers.areWell) this.polledAtMs = Date.now();
    return 0;
  }

  /** After a failed read Redis may have given entries to the owner that it has not seen: it reads them again. */
  async #fill(signal: AbortSignal): Promise<void> {
    const { dispatcher, rings } = this.#parts;
    const open = await this.#readers.open(rings.due(), signal);
    this.#leaveOthers(open);
    if (open.length === 0 || dispatcher.freeSlots <= 0 || signal.aborted) return;
    await this.#fetch(this.#turns(open, dispatcher.freeSlots), signal);
  }

  /** A connection may lead to partitions of other members alone. */
  #leaveOthers(streams: readonly GroupStream[]): void {
    const { partitions } = this.#parts;
    const isOthers = (place: GroupPartition): boolean => partitions.get(place)!.position === null;
    const readers = this.#readers.divide(streams, ({ partition }) => partition).map(([reader]) => reader);
    for (const reader of readers) if (reader.places.every(isOthers)) reader.needless();
  }

  /** Partitions that are worth a read. One that has no room, or is not this member's, is none now, though there is something. */
  #turns(open: readonly GroupStream[], free: number): Turn[] {
    const { partitions } = this.#parts;
    const streams = new Map<GroupPartition, GroupStream[]>();
    for (const stream of open) streams.set(stream.partition, [...(streams.get(stream.partition) ?? []), stream]);
    return [...streams].flatMap(([place, due]) => this.#turnOf(partitions.get(place)!, due, free) ?? []);
  }

  handedOver(place: GroupPartition, given: HandedOver): boolean {
    return this.#open.get(this.#parts.partitions.get(place)!)!.handedOver(given);
  }

  #openFetchOf(partition: OwnedPartition): OpenFetch {
    const [log] = partition.place.streams;
    const readAgain = (): void => this.#parts.rings.lookAt(log);
    const brought = (entries: number, messages: number): void => this.#plan.brought(log, entries, messages);
    return new OpenFetch({ partition, missed: readAgain, brought });
  }

  #turnOf(partition: OwnedPartition, streams: readonly GroupStream[], free: number): Turn | null {
    const { rings, queue } = this.#parts;
    const { position } = partition;
    const room = MOST_WAITING - queue.waitingIn(partition.place);
    const rung = new Map(streams.map((stream) => [stream, rings.lastFor(stream)]));
    if (position === null) for (const stream of streams) rings.read(stream, rung.get(stream)!, { messages: 0, isAll: true });
    else if (room <= 0 || this.#full.has(partition)) this.#putOff(partition, streams);
    else {
      const count = this.#plan.of(partition.place.streams[0], Math.min(free, room));
      return { partition, position, count, streams: new Set(streams), rung };
    }
    return null;
  }

  #putOff(partition: OwnedPartition, streams: readonly GroupStream[]): void {
    const { rings, queue } = this.#parts;
    for (const stream of streams) rings.putOff(stream, Infinity);
    if (this.#full.has(partition)) return;
    this.#full.add(partition);
    queue.whenFewWait(partition.place, FEW_WAITING, () => {
      this.#full.delete(partition);
      for (const stream of partition.place.streams) rings.lookAt(stream);
    });
  }

  async #fetch(turns: readonly Turn[], signal: AbortSignal): Promise<void> {
    const divided = this.#readers.divide(turns, ({ partition }) => partition.place);
    const asked = (own: readonly Turn[]): number => own.reduce((sum, { count }) => sum + count, 0);
    await this.#readers.together(divided.map(([reader, own]) => reader.read(asked(own), () => this.#readPages(own), signal)));
  }

  async #readPages(turns: readonly Turn[]): Promise<number> {
    const pages = pagesOf(turns, MOST_PARTITIONS, ({ partition }) => this.#parts.way.connectionTo(partition.place.streams[0]));
    await allTurns(pages.map((page) => this.#read(page)));
    return turns.length;
  }

  async #read({ redis, partitions: turns }: Page<Turn>): Promise<void> {
    const { member, gates } = this.#parts;
    const keys = turns.flatMap(({ partition: { place } }) => keysOf(place));
    const args = [this.#group, OWNER, member, gates.passed, ...turns.flatMap((turn) => this.#argsOf(turn))];
    try {
      const replies = (await redis.run(fetch, keys, args)) as Reply[];
      await allTurns(turns.map((turn, index) => this.#take(turn, replies[index]!)));
    } catch (error) {
      for (const { partition } of turns) this.#open.get(partition)!.failed();
      throw error;
    }
  }

  #argsOf({ partition, position: { owner, round, after }, count, streams }: Turn): (string | number)[] {
    const [log, again] = partition.place.streams;
    const number = streams.has(log) ? this.#open.get(partition)!.sends() : 0;
    const mayStay = this.#parts.rings.isListening ? '1' : '';
    return [owner.epoch, round, number, mayStay, count, ...[log, again].map((stream) => (streams.has(stream) ? after.get(stream)! : ''))];
  }

  async #take(turn: Turn, given: Reply): Promise<void> {
    const { rings, feedback } = this.#parts;
    const { partition, streams } = turn;
    const reply = turnOf(given, 'fetch');
    if (reply === 'LOST') {
      this.#open.get(partition)!.failed();
      feedback.givenAgain(partition.place);
      for (const stream of streams) rings.putOff(stream, LOST_FOR_MS);
      return;
    }
    const [log, again] = partition.place.streams;
    // One stream after the other: a failure in the first leaves the second to be read again.
    if (streams.has(log)) await this.#takeNew(log, turn, reply);
    if (streams.has(again)) await this.#takeFrom(again, turn, reply[1]);
  }

  /** Messages handed over before the fetch come before its entries, and those that are handed over to it behind them. */
  async #takeNew(log: GroupStream, turn: Turn, [entries, , raise, record, openFrom]: Exclude<Reply, string>): Promise<void> {
    const open = this.#open.get(turn.partition)!;
    if (!(await open.closed(record, turn.position.round))) this.#readAgain(turn.partition);
    if (turn.position.after.get(log) !== NOTHING_MORE) await this.#takeFrom(log, turn, entries);
    if (raise !== '') this.#held(log, raise);
    open.opened(turn.position, openFrom === '' ? null : Number(openFrom));
  }

  #readAgain(partition: OwnedPartition): void {
    partition.restart();
    for (const stream of partition.place.streams) this.#parts.rings.lookAt(stream);
  }

  /** Entries of the log wait until the group has settled what was published before a raise. */
  #held(log: GroupStream, raise: string): void {
    const { rings, gates } = this.#parts;
    rings.putOff(log, HELD_FOR_MS);
    void gates.look(raise);
  }

  async #takeFrom(stream: GroupStream, { partition, position, count, rung }: Turn, entries: Entries): Promise<void> {
    const messages = await partition.take(stream, entries.map(([id, fields]) => ({ id, fields })), position);
    if (messages !== null && entries.length > 0) this.#plan.brought(stream, entries.length, messages);
    // Behind what owners have read before is what is new.
    const isAll = messages !== null && position.after.get(stream) === '>' && entries.length < count;
    this.#parts.rings.read(stream, rung.get(stream)!, { messages: messages ?? 0, isAll });
  }

  /** Reads that fail are seen to by their readers. */
  #failed(error: Error, failures: number): void {
    const [{ topic, group }] = this.#parts.partitions.keys() as unknown as [GroupPartition];
    emit('loop-failed', { topic, group, loop: 'fetch', error: errorRecord(error), failures });
    this.#readers.doubt(error.message);
    this.#parts.rings.lookAtAll();
  }
}

/** A fetch that reads nothing, and leaves nothing open. */
function closingOf(partition: OwnedPartition): Turn[] {
  const { position } = partition;
  const [log] = partition.place.streams;
  if (!position) return [];
  const after = new Map([[log, NOTHING_MORE]]);
  return [{ partition, position: { ...position, after }, count: 1, streams: new Set([log]), rung: new Map([[log, '']]) }];
}

function keysOf({ keys, groupKeys, streams }: GroupPartition): string[] {
  return [groupKeys.control, ...streams.map(({ key }) => key), keys.meta];
}

function nothing(): void {
  // The loop sees how a round ended.
}
