import { setTimeout as pause } from 'node:timers/promises';
import { MillraceError, parseOptions, type TopicDefinition, type TopicRef, topicOfRef } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import { groupKeys, partitionKeys } from '../keys.js';
import { assertGroup } from '../log/known-group.js';
import { assertPartition } from '../log/known-partition.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import { partitionsOf, type TopicLog } from '../log/topic-log.js';
import { adviceOn } from '../publish/refusals.js';
import type { BlockingGroup } from '../retain/log-trim.js';
import type { RetainedPartition } from '../retain/retained-partition.js';
import { groupPartition } from '../consume/group-partition.js';
import { readGivenAgain, type Replay, replayAt } from '../group/replays.js';
import { isStorable, redrivenEnvelope } from '../log/envelope.js';
import {
  countDeadLetters, type DeadLetterPage, type DeadLetterPlace, type DeadLetterRange, type DeadLetterRecord, entryOf, PAGE,
  readBounded, readDeadLetter, readDeadLetters, readEnd, UNREADABLE,
} from './dead-letter-record.js';
import { DeadLetterQuery, DeadLetterSelection, DiscardOptions, MAX_IDS, RedriveOptions } from './redrive-options.js';

const redrive = loadScript('../scripts/redrive.lua', import.meta.url);
const discardDeadLetters = loadScript('../scripts/discard-dead-letters.lua', import.meta.url);

export type ReasonCounts = Readonly<Partial<Record<DeadLetterRecord['reason'], number>>>;

export interface RedriveResult {
  readonly redriven: number;
  /** Ids that were not among the dead letters (any more): redriven or discarded before. */
  readonly missing: readonly string[];
  /**
   * Ids of entries that were left where they are: those that are no dead letters and, in a redrive to the topic, those that no
   * group could read. With `all: true` the first 1,000.
   */
  readonly unreadable: readonly string[];
  /** Only when no dead letter has the wanted reason: how many of the selected ones have each other reason. */
  readonly others?: ReasonCounts;
}

export interface DiscardResult {
  readonly discarded: number;
  /** As `others` of {@link RedriveResult}. */
  readonly others?: ReasonCounts;
}

export interface DeadLettersParts {
  readonly redis: Topology;
  readonly log: TopicLog;
  readonly prefix: string;
  readonly counts: PartitionCounts;
  /** The partition of a topic with retention; null when the topic keeps everything. */
  readonly retained: (topic: TopicDefinition, partition: number) => RetainedPartition | null;
}

/** The messages that a group gave up: look at them, put them back, or remove them. */
export class DeadLetters {
  readonly #redis: Topology;
  readonly #log: TopicLog;
  readonly #prefix: string;
  readonly #counts: PartitionCounts;
  readonly #retained: DeadLettersParts['retained'];

  constructor({ redis, log, prefix, counts, retained }: DeadLettersParts) {
    this.#counts = counts;
    this.#redis = redis;
    this.#log = log;
    this.#prefix = prefix;
    this.#retained = retained;
  }

  /**
   * The dead letters of a group, partition by partition, the oldest first. An entry among them that cannot be read is one of
   * them, with the reason `UNREADABLE`.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_GROUP
   */
  async list(topic: TopicRef, group: string, options: DeadLetterQuery = {}): Promise<DeadLetterRecord[]> {
    const { limit, ...selection } = parseOptions(DeadLetterQuery, options, 'list()');
    const found: DeadLetterRecord[] = [];
    for await (const [, page] of this.#pages(topic, group, selection)) {
      found.push(...page.slice(0, limit - found.length));
      if (found.length === limit) break;
    }
    return found;
  }

  /**
   * A part of the dead letters of a group in one partition, the oldest first: as many as one call may read.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_GROUP
   */
  async page(topic: TopicRef, group: string, range: DeadLetterRange): Promise<DeadLetterPage> {
    const definition = this.#counts.topicOf(topicOfRef(topic));
    assertPartition(definition, range.partition, 'page()');
    await assertGroup(this.#redis, this.#prefix, { topic: definition, group });
    return readBounded(this.#redis, this.#place(definition, range.partition, group), range);
  }

  /**
   * The entry id of the last dead letter of a group in each partition; null where there is none.
   *
   * @throws MillraceError NOT_A_TOPIC, UNKNOWN_GROUP
   */
  async ends(topic: TopicRef, group: string): Promise<(string | null)[]> {
    const definition = this.#counts.topicOf(topicOfRef(topic));
    await assertGroup(this.#redis, this.#prefix, { topic: definition, group });
    const places = partitionsOf(definition).map((partition) => this.#place(definition, partition, group));
    return Promise.all(places.map((place) => readEnd(this.#redis, place)));
  }

  /**
   * How many dead letters a group has now, those that cannot be read included.
   *
   * @throws MillraceError NOT_A_TOPIC, UNKNOWN_GROUP
   */
  async count(topic: TopicRef, group: string): Promise<number> {
    const definition = this.#counts.topicOf(topicOfRef(topic));
    await assertGroup(this.#redis, this.#prefix, { topic: definition, group });
    const places = partitionsOf(definition).map((partition) => this.#place(definition, partition, group));
    const counts = await Promise.all(places.map((place) => countDeadLetters(this.#redis, place)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /**
   * Puts dead letters back as first attempts: to the failing group alone, or, as new messages with the same ids, to every
   * group of the topic. Each goes back once, however often that is asked for.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_GROUP; BACK_PRESSURE, REDIS_FAILED after a part was redriven:
   *   ask again for the rest
   */
  async redrive(topic: TopicRef, group: string, options: RedriveOptions): Promise<RedriveResult> {
    const { to, rate, ...selection } = parseOptions(RedriveOptions, options, 'redrive()');
    const result = { redriven: 0, missing: missingIds(selection), unreadable: [] as string[] };
    const size = Math.min(PAGE, rate ?? PAGE);
    const tally = new ReasonTally();
    const target = { topic: topicOfRef(topic), to, missing: result.missing };
    for await (const [place, page] of this.#pages(topic, group, { ...assertSelective(selection, 'redrive()'), tally })) {
      for (const record of page) result.missing.delete(record.id);
      const good = page.filter((record) => isRedrivable(record, to));
      const bad = page.filter((record) => !good.includes(record)).map(({ id }) => id);
      result.unreadable.push(...bad.slice(0, MAX_IDS - result.unreadable.length));
      for (let start = 0; start < good.length; ) {
        const next = good.slice(start, start + size);
        if (rate !== undefined && result.redriven > 0) await pause((next.length / rate) * 1_000);
        const batch = await this.#fitting(place, next, target);
        result.redriven += await this.#redrive(place, batch, target);
        start += batch.length;
      }
    }
    return { ...result, missing: [...result.missing], ...tally.others() };
  }

  /**
   * Removes dead letters for good.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_GROUP
   */
  async discard(topic: TopicRef, group: string, options: DiscardOptions): Promise<DiscardResult> {
    const selection = assertSelective(parseOptions(DiscardOptions, options, 'discard()'), 'discard()');
    let discarded = 0;
    const tally = new ReasonTally();
    for await (const [place, page] of this.#pages(topic, group, { ...selection, tally })) {
      const { dead, stats } = groupKeys(this.#prefix, place, group);
      const entries = page.map(({ id }) => entryOf(id));
      discarded += Number(await this.#redis.controlFor(dead).run(discardDeadLetters, [dead, stats], entries));
    }
    return { discarded, ...tally.others() };
  }

  #place({ name: topic }: TopicDefinition, partition: number, group: string): DeadLetterPlace {
    return { prefix: this.#prefix, topic, partition, group };
  }

  /** The selected dead letters, in pages, without those that are added meanwhile. */
  async *#pages(topic: TopicRef, group: string, { tally, ...selection }: Wanted): Pages {
    const definition = this.#counts.topicOf(topicOfRef(topic));
    assertPartition(definition, selection.partition, 'partition');
    await assertGroup(this.#redis, this.#prefix, { topic: definition, group });
    for (const partition of partitionsOf(definition)) {
      if (selection.partition !== undefined && selection.partition !== partition) continue;
      const place = this.#place(definition, partition, group);
      const pages = selection.ids ? this.#byId(place, selection.ids) : this.#all(place);
      for await (const page of pages) {
        const fitting = page.filter(({ reason }) => selection.reason === undefined || selection.reason === reason);
        tally?.add(page, fitting);
        if (fitting.length > 0) yield [place, fitting];
      }
    }
  }

  async *#byId(place: DeadLetterPlace, ids: readonly string[]): AsyncGenerator<DeadLetterRecord[]> {
    const own = [...new Set(ids)].filter((id) => id.startsWith(`${place.partition}:`)).map(entryOf);
    for (let start = 0; start < own.length; start += PAGE) {
      const found = await Promise.all(own.slice(start, start + PAGE).map((entry) => readDeadLetter(this.#redis, place, entry)));
      yield found.filter((record) => record !== null);
    }
  }

  async *#all(place: DeadLetterPlace): AsyncGenerator<DeadLetterRecord[]> {
    const until = await readEnd(this.#redis, place);
    for (let after = '0-0', page: DeadLetterRecord[]; until !== null; after = entryOf(page.at(-1)!.id)) {
      page = await readDeadLetters(this.#redis, place, { after, until, limit: PAGE });
      if (page.length === 0) return;
      yield page;
    }
  }

  /** The first of these, as many as the topic has room for. */
  async #fitting(place: DeadLetterPlace, batch: DeadLetterRecord[], { topic, to }: Target): Promise<DeadLetterRecord[]> {
    const retained = to === 'topic' ? this.#retained(topic, place.partition) : null;
    if (!retained) return batch;
    const { messages, blockingGroup: group } = await retained.makeRoom(batch.length);
    if (messages === 0) throw noRoom(place, group === null ? null : await retained.blockingGroup(group));
    return batch.slice(0, messages);
  }

  async #redrive(place: DeadLetterPlace, batch: readonly DeadLetterRecord[], { topic, to, missing }: Target): Promise<number> {
    const { log, meta } = partitionKeys(this.#prefix, place.topic, place.partition);
    const { dead, again, stats, open, due, body, control } = groupKeys(this.#prefix, place, place.group);
    const keys = [dead, again, stats, open, log, meta, due, body, control];
    const redis = this.#redis.controlFor(dead);
    const partition = groupPartition(this.#prefix, place, place.group);
    const replays = to === 'topic' ? (await readGivenAgain(redis, partition)).replays : [];
    const args = [to, topic.retention?.maxMessages ?? 0, place.group, ...batch.flatMap((record) => argumentsOf(record, replays))];
    let reply = String(await redis.run(redrive, keys, args));
    if (reply === 'UNDECLARED') {
      await this.#log.recover({ topic: place.topic, partition: place.partition }, place.group);
      reply = String(await redis.run(redrive, keys, args));
    }
    if (reply === 'UNDECLARED') throw stateLost(place.topic);
    if (reply === 'FULL') throw noRoom(place, null);
    const gone = batch.filter((_, index) => reply[index] === 'M');
    for (const { id } of gone) missing.add(id);
    return batch.length - gone.length;
  }
}

type Pages = AsyncGenerator<[DeadLetterPlace, DeadLetterRecord[]]>;

type Wanted = DeadLetterSelection & { readonly tally?: ReasonTally };

/** Counts dead letters with other reasons, which the result lists when none has the wanted one. */
class ReasonTally {
  readonly #passedOver: Partial<Record<DeadLetterRecord['reason'], number>> = {};
  #fits = false;

  add(page: readonly DeadLetterRecord[], fitting: readonly DeadLetterRecord[]): void {
    this.#fits ||= fitting.length > 0;
    for (const record of page) {
      if (!fitting.includes(record)) this.#passedOver[record.reason] = (this.#passedOver[record.reason] ?? 0) + 1;
    }
  }

  others(): { others?: ReasonCounts } {
    return this.#fits || Object.keys(this.#passedOver).length === 0 ? {} : { others: this.#passedOver };
  }
}

interface Target {
  readonly topic: TopicDefinition;
  readonly to: 'group' | 'topic';
  readonly missing: Set<string>;
}

function isRedrivable({ reason, origin, envelope }: DeadLetterRecord, to: 'group' | 'topic'): boolean {
  return reason !== UNREADABLE && (to === 'group' || (origin.offset >= 0 && isStorable(envelope)));
}

/** A redrive to the group keeps the offset, which identifies the replay; one to the topic gives another offset. */
function argumentsOf(record: DeadLetterRecord, replays: readonly Replay[]): (string | number)[] {
  const { id, origin, envelope, publishedAt, firstFailedAt } = record;
  const replay = replayAt(replays, origin.offset);
  const outOf = replay?.number ? { group: origin.group, replay: replay.number, forced: replay.forced } : null;
  const redriven = redrivenEnvelope(envelope, outOf);
  return [entryOf(id), origin.offset, (publishedAt ?? firstFailedAt).getTime(), redriven];
}

/** @param blockingGroup the group that keeps the partition full; null when none does */
function noRoom({ topic, partition }: DeadLetterPlace, blockingGroup: BlockingGroup | null): MillraceError {
  const advice = blockingGroup === null ? '' : ` ${adviceOn(blockingGroup)}.`;
  return new MillraceError(
    'BACK_PRESSURE',
    `Partition ${partition} of topic '${topic}' holds as much as its retention allows: nothing more was redriven.${advice} Ask again for the ` +
      'rest when there is room, or redrive to the group.',
    { retryable: true },
  );
}

function stateLost(topic: string): MillraceError {
  return new MillraceError('STATE_LOST', `Redis keeps losing the keys of topic '${topic}'. Nothing more was redriven: ask again for the rest.`);
}

function missingIds({ ids }: DeadLetterSelection): Set<string> {
  return new Set(ids);
}

/** All dead letters are taken only where `all` says so. */
function assertSelective<T extends DeadLetterSelection & { all?: boolean }>(selection: T, where: string): T {
  if ((selection.ids === undefined) === (selection.all === true)) return selection;
  throw new MillraceError('INVALID_OPTIONS', `${where}: say which dead letters are meant: ids: [...] or all: true, and not both.`);
}
