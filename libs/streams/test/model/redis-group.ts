import { topicOf } from '@millrace/core';
import { loadScript, type RedisArgument, type RedisConnection } from '@millrace/redis';
import { Inspector } from '@millrace/streams';
import { groupPartition, type GroupPartition } from '../../src/consume/group-partition.js';
import { producerKey, SETTLED_PAGE_OFFSETS, settledKey } from '../../src/keys.js';
import { TopicLog } from '../../src/log/topic-log.js';
import { Single } from '../topics.js';
import { type Entry, type Item, type Kind, type Member, PAGE, PER_ENTRY, type Published, type Token } from './shared-mode.js';
import type { Pending, View } from './view.js';

const NAMES = ['publish', 'settle', 'heartbeat', 'reclaim', 'promote', 'forget-members', 'audit'] as const;
type Name = (typeof NAMES)[number];
const scripts = new Map(NAMES.map((name) => [name, loadScript(`../../src/scripts/${name}.lua`, import.meta.url)]));

interface Page {
  readonly kind: Kind;
  readonly look: number;
  readonly take: number;
  readonly after: Entry | null;
  readonly holds: readonly Entry[];
}

const LEASE_MS = 3_600_000;
const LONG_MS = 7_200_000;
/** In the year 2026 its number is 1 and its end far away, so that no window ends while a run is under way. */
const WINDOW_MS = 10 ** 12;
/** Scores of what waits, in the order in which it was scheduled: first what is due, then what is not. */
const RIPE = 1;
const UNRIPE = 10 ** 15;

type Rows = [string, string[]][];

/** One group in one partition in Redis, through the scripts themselves. */
export class RedisGroup {
  readonly #redis: RedisConnection;
  readonly #inspector: Inspector;
  readonly #place: GroupPartition;
  readonly #prefix: string;
  readonly #ids: Record<Kind, string[]> = { log: [], retry: [] };
  #scheduled = 0;

  private constructor(redis: RedisConnection, prefix: string) {
    this.#redis = redis;
    this.#inspector = new Inspector(redis, prefix);
    this.#prefix = prefix;
    this.#place = groupPartition(prefix, { topic: topicOf(Single).name, partition: 0 }, 'g');
  }

  static async create(redis: RedisConnection, prefix: string): Promise<RedisGroup> {
    const group = new RedisGroup(redis, prefix);
    await group.declare();
    return group;
  }

  /** @returns whether it was there, is new or had to be made again */
  declare(): Promise<string> {
    return new TopicLog(this.#redis, this.#prefix).declareGroup(this.#place, 'g');
  }

  async lose(kind: Kind): Promise<string> {
    await this.#call('XGROUP', 'DESTROY', this.#key(kind), 'g');
    return this.declare();
  }

  async publish(producer: string, sequence: number, messages: readonly Published[]): Promise<string> {
    const { log, meta, ids, delayed } = this.#place.keys;
    const uses = messages.some(({ key }) => key !== '') ? JSON.stringify(messages.flatMap(({ key, digest, id }) => [key, digest, id])) : '';
    const texts = messages.map(({ envelope }) => envelope);
    const entries = texts.flatMap((_, from) => (from % PER_ENTRY === 0 ? `[${texts.slice(from, from + PER_ENTRY).join(',\n')}]` : []));
    const keys = [log, meta, producerKey(this.#prefix, this.#place, producer), ...ids, delayed];
    return String(await this.#run('publish', keys, [sequence, 0, texts.length, PER_ENTRY, PAGE, 0, '0', WINDOW_MS, '', uses, '', ...entries]));
  }

  publishForeign(text: string): Promise<unknown> {
    return this.#call('XADD', this.#place.keys.log, '*', 'm', text);
  }

  /** The current window is the later of two hashes: what it holds becomes the previous window, or older than that. */
  async turn(windows: 1 | 2): Promise<void> {
    const [previous, current] = this.#place.keys.ids;
    await this.#call('DEL', previous);
    if ((await this.#call('EXISTS', current)) === 0) return;
    await this.#call('RENAME', current, previous);
    await this.#call('HSET', previous, '', 1 - windows);
  }

  async read(member: Member, kind: Kind, count: number): Promise<[number, number][]> {
    const reply = await this.#call('XREADGROUP', 'GROUP', 'g', member, 'COUNT', count, 'STREAMS', this.#key(kind), '>');
    return ((reply as [[string, Rows]] | null)?.[0][1] ?? []).map(([id]) => [this.#ids[kind].indexOf(id), 1]);
  }

  async settle(items: readonly Item[], isRepetition: boolean): Promise<string> {
    const { stats, due, dead, retryLog, open } = this.#place.groupKeys;
    const { member, entry } = items[0]!.token;
    const pages = [...new Set(items.map(({ message }) => this.#page(message.offset)))];
    const args = items.flatMap(({ token, message, outcome, first, second }) => [
      this.#id(token.entry), token.count, token.entry.messages[0]!.offset, token.entry.messages.length,
      message.offset, pages.indexOf(this.#page(message.offset)) + 1, outcome, first, second, '',
    ]);
    const head = ['g', member, entry.kind, PAGE, isRepetition ? '1' : '0'];
    const keys = [this.#key(entry.kind), stats, due, dead, retryLog, open, ...pages];
    const reply = String(await this.#run('settle', keys, [...head, ...args]));
    // What was refused has scheduled nothing, though another item of the call may have put the same body there.
    await this.#setScores(items.filter((_, index) => reply[index] === 'S'));
    return reply;
  }

  async beat(member: Member, tokens: readonly Token[]): Promise<string> {
    const args = tokens.flatMap(({ entry, count }) => [entry.kind === 'log' ? 2 : 3, this.#id(entry), count]);
    const { members, retryLog, stats } = this.#place.groupKeys;
    return String(await this.#run('heartbeat', [members, this.#place.keys.log, retryLog, stats], ['g', member, ...args]));
  }

  silence(member: Member): Promise<unknown> {
    return this.#call('ZADD', this.#place.groupKeys.members, 1, member);
  }

  /** The lease of an entry runs out. */
  expire(entry: Entry, owner: Member): Promise<unknown> {
    return this.#call('XCLAIM', this.#key(entry.kind), 'g', owner, 0, this.#id(entry), 'IDLE', LONG_MS, 'JUSTID');
  }

  delete(entry: Entry): Promise<unknown> {
    return this.#call('XDEL', this.#key(entry.kind), this.#id(entry));
  }

  async reclaim(member: Member, { kind, look, take, after, holds }: Page): Promise<unknown[]> {
    const { members, stats } = this.#place.groupKeys;
    const args = ['g', member, LEASE_MS, after ? this.#id(after) : '-', look, take, ...holds.map((entry) => this.#id(entry))];
    const reply = await this.#run('reclaim', [this.#key(kind), members, stats], args);
    const [next, ...found] = reply as [string, ...unknown[]];
    const ids = this.#ids[kind];
    const taken = found.flatMap((id, index) => (index % 3 === 0 ? [[ids.indexOf(String(id)), found[index + 1]]] : []));
    return [next === '-' ? -1 : ids.indexOf(next), taken];
  }

  async promote(limit: number): Promise<[number, boolean]> {
    const { due, retryLog } = this.#place.groupKeys;
    const [moved, waitMs] = (await this.#run('promote', [due, retryLog], [limit])) as [number, number];
    return [moved, waitMs >= 0];
  }

  /** What is scheduled for later becomes due. */
  async ripen(): Promise<void> {
    const { due } = this.#place.groupKeys;
    for (const [body, score] of await this.#due()) if (score >= UNRIPE) await this.#call('ZADD', due, score - UNRIPE + RIPE, body);
  }

  forget(leaving: Member | null): Promise<unknown> {
    const { members, retryLog } = this.#place.groupKeys;
    return this.#run('forget-members', [members, this.#place.keys.log, retryLog], ['g', LONG_MS, leaving ?? '']);
  }

  audit(): Promise<unknown> {
    const { keys, groupKeys } = this.#place;
    const { stats, open, due, retryLog } = groupKeys;
    return this.#run('audit', [keys.log, keys.meta, keys.groups, stats, open, due, retryLog], ['g']);
  }

  async view(): Promise<View> {
    const { keys, groupKeys } = this.#place;
    const [log, retryLog, next] = (await Promise.all([
      this.#call('XRANGE', keys.log, '-', '+'),
      this.#call('XRANGE', groupKeys.retryLog, '-', '+'),
      this.#call('HGET', keys.meta, 'next'),
    ])) as [Rows, Rows, string];
    const ordinals = { log: this.#learn('log', log), retry: this.#learn('retry', retryLog) };
    return {
      next: Number(next),
      log: log.map(([, fields], index) => [ordinals.log[index]!, ...spanOf(fields)]),
      retryLog: retryLog.map(([, [, body]], index) => [ordinals.retry[index]!, body!]),
      ...(await this.#marks(Number(next))),
      ...(await this.#counts()),
    };
  }

  async #marks(next: number): Promise<Pick<View, 'pending' | 'due' | 'dead' | 'settled'>> {
    const { dead } = this.#place.groupKeys;
    const [log, retry, due, settled, letters] = await Promise.all([
      this.#pending('log'), this.#pending('retry'), this.#due(), this.#settled(next), this.#call('XRANGE', dead, '-', '+'),
    ]);
    return {
      pending: { log, retry },
      due: due.map(([body, score]) => [body, score < UNRIPE]),
      settled,
      dead: (letters as Rows).map(([, [, envelope, , reason]]) => [envelope!, reason!]),
    };
  }

  async #counts(): Promise<Pick<View, 'lag' | 'open' | 'stats' | 'members' | 'keys'>> {
    const { keys, groupKeys } = this.#place;
    const state = this.#inspector.group(topicOf(Single), 'g');
    const [open, stats, members, current, previous] = (await Promise.all([
      this.#call('ZRANGE', groupKeys.open, 0, -1),
      this.#call('HGETALL', groupKeys.stats),
      this.#call('ZRANGE', groupKeys.members, 0, -1, 'WITHSCORES'),
      this.#call('HGETALL', keys.ids[1]),
      this.#call('HGETALL', keys.ids[0]),
    ])) as [string[], string[], string[], string[], string[]];
    return {
      open: open.map((text) => Number(text.split(' ')[0])),
      lag: (await state).lag,
      stats: Object.fromEntries(pairs(stats).filter(([name]) => name !== 'seen' && name !== 'whole').map(([name, count]) => [name, Number(count)])),
      members: Object.fromEntries(pairs(members).map(([name, score]) => [name, Number(score) > 1 ? 'alive' : 'silent'])),
      keys: { current: keysIn(current, '1'), previous: keysIn(previous, '0') },
    };
  }

  /** Entries are known by their order: those that are new come last. */
  #learn(kind: Kind, rows: Rows): number[] {
    const known = this.#ids[kind];
    for (const [id] of rows) if (!known.includes(id)) known.push(id);
    return rows.map(([id]) => known.indexOf(id));
  }

  async #pending(kind: Kind): Promise<Pending[]> {
    const rows = (await this.#call('XPENDING', this.#key(kind), 'g', '-', '+', 1_000)) as [string, string, number, number][];
    return rows.map(([id, owner, , count]) => [this.#ids[kind].indexOf(id), owner, count]);
  }

  /** In the order in which it was scheduled: with its own scores, what is due in the same millisecond would have none. */
  async #due(): Promise<[string, number][]> {
    const rows = pairs((await this.#call('ZRANGE', this.#place.groupKeys.due, 0, -1, 'WITHSCORES')) as string[]);
    const order = (score: number): number => (score >= UNRIPE ? score - UNRIPE + RIPE : score);
    const scored = rows.map(([body, score]): [string, number] => [body, Number(score)]);
    return scored.sort(([, one], [, other]) => order(one) - order(other));
  }

  /** @throws Error when the script set another time than now or an hour from now */
  async #setScores(items: readonly Item[]): Promise<void> {
    const scores = new Map(await this.#due());
    for (const { outcome, first, second } of items) {
      const score = scores.get(second) ?? 0;
      // A script gives milliseconds since 1970; ours are far below and far above.
      if (outcome !== 'retry' || score < 10 ** 12 || score >= UNRIPE) continue;
      const late = score - Date.now() - Number(first);
      if (Math.abs(late) > 60_000) throw new Error(`A retry in ${first} ms is scheduled ${late} ms too late.`);
      await this.#call('ZADD', this.#place.groupKeys.due, (first === '0' ? RIPE : UNRIPE) + (this.#scheduled += 1), second);
      scores.delete(second);
    }
  }

  async #settled(next: number): Promise<number[]> {
    const offsets = Array.from({ length: next }, (_, offset) => offset);
    const bits = await Promise.all(offsets.map((offset) => this.#call('GETBIT', this.#page(offset), offset % PAGE)));
    return offsets.filter((offset) => bits[offset] === 1);
  }

  #page(offset: number): string {
    return settledKey(this.#prefix, this.#place, Math.floor(Math.max(0, offset) / PAGE) * SETTLED_PAGE_OFFSETS);
  }

  #key(kind: Kind): string {
    return kind === 'log' ? this.#place.keys.log : this.#place.groupKeys.retryLog;
  }

  #id({ kind, ordinal }: Entry): string {
    return this.#ids[kind][ordinal]!;
  }

  #call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#redis.call(command, ...args);
  }

  #run(name: Name, keys: string[], args: RedisArgument[]): Promise<unknown> {
    return this.#redis.run(scripts.get(name)!, keys, args);
  }
}

function pairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]!] as [string, string]] : []));
}

/** The field '' is the number of the window; the keys of another are forgotten. */
function keysIn(hash: readonly string[], window: string): Record<string, string> {
  const { '': number, ...keys } = Object.fromEntries(pairs(hash));
  return number === window ? keys : {};
}

function spanOf(fields: readonly string[]): [number, string[]] {
  if (fields[0] !== 'o') return [-1, [fields[1]!]];
  return [Number(fields[1]), fields[5]!.slice(1, -1).split(',\n')];
}
