import { topicOf } from '@millrace/core';
import { loadScript, type RedisArgument, type RedisConnection, type Topology } from '@millrace/redis';
import { Inspector } from '@millrace/streams';
import { groupPartition, type GroupPartition } from '../../src/consume/group-partition.js';
import { settleKeysOf } from '../../src/consume/settle-call.js';
import { tendKeysOf } from '../../src/group/tender.js';
import { auditKeysOf } from '../../src/inspect/auditor.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../../src/keys.js';
import { entryOf } from '../../src/log/entry.js';
import { TopicLog } from '../../src/log/topic-log.js';
import { Single } from '../topics.js';
import { DueScores } from './due-scores.js';
import { keysIn, pairs } from './hash.js';
import { type Fate, type ForeignId, PAGE, PER_ENTRY, type Published, type Run, type Tended } from './shared-mode.js';
import type { Entry, Kind, Member, Token } from './stream.js';
import type { Body, Pending, View } from './view.js';
import { wholeOf } from './whole-entries.js';

const NAMES = ['publish', 'close', 'settle', 'begin', 'put-back', 'tend', 'forget-member', 'audit'] as const;
type Name = (typeof NAMES)[number];
const scripts = new Map(NAMES.map((name) => [name, loadScript(`../../src/scripts/${name}.lua`, import.meta.url)]));

/** Whether entries are settled whole where possible, and how many the call says that the member holds. */
interface SettleOptions {
  readonly isRepetition: boolean;
  readonly isWhole: boolean;
  readonly mostHeld: number;
}

interface PutBackOptions {
  readonly kind: Kind;
  readonly fate: Fate;
  /** Entries looked at in one call. */
  readonly look: number;
  readonly kept: readonly Entry[];
}

/** In the year 2026 its number is 1 and its end far away, so that no window ends while a run is under way. */
const WINDOW_MS = 10 ** 12;
type Rows = [string, string[]][];

/** One group in one partition in Redis, through the scripts themselves. */
export class RedisGroup {
  readonly #redis: RedisConnection;
  readonly #log: TopicLog;
  readonly #inspector: Inspector;
  readonly #place: GroupPartition;
  readonly #prefix: string;
  readonly #ids: Record<Kind, string[]> = { log: [], retry: [] };
  readonly #scores: DueScores;

  private constructor(redis: Topology, prefix: string) {
    this.#place = groupPartition(prefix, { topic: topicOf(Single).name, partition: 0 }, 'g');
    this.#redis = redis.controlFor(this.#place.keys.log);
    this.#log = new TopicLog(redis, prefix);
    this.#inspector = new Inspector(redis, prefix);
    this.#prefix = prefix;
    this.#scores = new DueScores(this.#redis, this.#place.groupKeys.due);
  }

  static async create(redis: Topology, prefix: string): Promise<RedisGroup> {
    const group = new RedisGroup(redis, prefix);
    await group.declare();
    return group;
  }

  /** @returns whether it was there, is new or had to be made again */
  declare(): Promise<string> {
    return this.#log.recover(this.#place, 'g');
  }

  /** @returns the reply of `tend` meanwhile, and whether the group had to be made again */
  async lose(kind: Kind): Promise<[tended: unknown, declared: string]> {
    await this.#call('XGROUP', 'DESTROY', this.#key(kind), 'g');
    return [await this.#tend(4), await this.declare()];
  }

  async publish(producer: string, sequence: number, messages: readonly Published[]): Promise<string> {
    const { log, meta, producers, ids, delayed } = this.#place.keys;
    const uses = usesOf(messages);
    const texts = messages.map(({ envelope }) => envelope);
    const entries = texts.flatMap((_, from) => (from % PER_ENTRY === 0 ? `[${texts.slice(from, from + PER_ENTRY).join(',\n')}]` : []));
    const args = [producer, sequence, 0, texts.length, PER_ENTRY, PAGE, 0, '0', 1];
    const plain = [log, meta, producers];
    if (uses === '') return String(await this.#run('publish', plain, [...args, ...entries]));
    return String(await this.#run('publish', [...plain, ...ids, delayed], [...args, WINDOW_MS, '', uses, '', ...entries]));
  }

  /** @returns for each batch the reply of its storing, or `-` */
  async close(producer: string, first: number, last: number): Promise<string | string[]> {
    return (await this.#run('close', [this.#place.keys.producers], [producer, first, last, 0])) as string | string[];
  }

  /** @param id so many milliseconds behind the last id */
  async publishForeign(text: string, { ahead, number }: ForeignId): Promise<void> {
    const { log } = this.#place.keys;
    const { 'last-generated-id': last = '' } = Object.fromEntries(pairs((await this.#call('XINFO', 'STREAM', log)) as string[]));
    await this.#call('XADD', log, `${Number(last.split('-')[0]) + ahead}-${number}`, 'm', text);
  }

  /** The current window is the later of two hashes: its keys become those of the previous window, or of an older one. */
  async turn(windows: 1 | 2): Promise<void> {
    const [previous, current] = this.#place.keys.ids;
    await this.#call('DEL', previous);
    if ((await this.#call('EXISTS', current)) === 0) return;
    await this.#call('RENAME', current, previous);
    await this.#call('HSET', previous, '', 1 - windows);
  }

  /** @returns the ordinals of the entries that were read */
  async read(member: Member, kind: Kind, count: number): Promise<number[]> {
    const reply = await this.#call('XREADGROUP', 'GROUP', 'g', member, 'COUNT', count, 'STREAMS', this.#key(kind), '>');
    return ((reply as [[string, Rows]] | null)?.[0][1] ?? []).map(([id]) => this.#ids[kind].indexOf(id));
  }

  /** @returns a letter for each run */
  async settle(runs: readonly Run[], { isRepetition, isWhole, mostHeld }: SettleOptions): Promise<string> {
    const { member, entry } = runs[0]!.token;
    const whole = isWhole ? wholeOf(runs) : [];
    const ordered = [...whole, ...runs.filter((run) => !whole.includes(run))];
    const pages = [...new Set(runs.flatMap(({ messages }) => messages.map(({ offset }) => pageOf(offset))))];
    const head = ['g', member, entry.kind, PAGE, isRepetition ? '1' : '0', pages.join(','), mostHeld, whole.length];
    const others = ordered.slice(whole.length);
    const args = [...whole.map(({ token }) => this.#id(token.entry)), ...others.flatMap((run) => this.#argsOf(run))];
    const stream = this.#place.streams[entry.kind === 'log' ? 0 : 1];
    const keys = [...settleKeysOf(stream), ...pages.map((page) => this.#page(page))];
    const reply = String(await this.#run('settle', keys, [...head, ...args]));
    // A refused outcome has scheduled nothing, though another run of the call may have stored the same text.
    await this.#scores.set(ordered.filter((_, index) => reply[index] === 'S'));
    return runs.map((run) => reply[ordered.indexOf(run)]).join('');
  }

  #argsOf({ token: { entry }, messages, outcome, first, second }: Run): RedisArgument[] {
    const [all, base, offset] = [entry.messages.length, entry.messages[0]!.offset, messages[0]!.offset];
    return [this.#id(entry), base, all, offset, messages.length, outcome, first, second, ''];
  }

  begin({ member, entry }: Token): Promise<unknown> {
    const { again, begun } = this.#place.groupKeys;
    return this.#run('begin', [again, begun], ['g', member, this.#id(entry)]);
  }

  /** @returns how many messages were put back, in as many calls as it takes */
  async putBack(owner: Member, { kind, fate, look, kept }: PutBackOptions): Promise<number> {
    const { again, stats, open, begun, due, body, control } = this.#place.groupKeys;
    const ids = kept.map((entry) => this.#id(entry));
    let [after, page, count] = ['0-0', 0, 0];
    while (after !== '-') {
      const own = [this.#key(kind), again, stats, open, begun, this.#place.keys.log, due, body, control];
      const keys = [...own, this.#page(page), this.#page(page + 1)];
      const args = ['g', owner, kind, PAGE, page, fate, look, after, ...ids];
      const [next, moved, wanted] = (await this.#run('put-back', keys, args)) as [string, number, number];
      if (next === after && wanted < 0) throw new Error(`It does not go on behind ${after}.`);
      [after, page, count] = [next, wanted < 0 ? page : wanted, count + moved];
    }
    return count;
  }

  delete(entry: Entry): Promise<unknown> {
    return this.#call('XDEL', this.#key(entry.kind), this.#id(entry));
  }

  async tend(limit: number): Promise<Tended> {
    // The model has nothing that is forwarded.
    const [moved, nextMs, forwards, ...held] = (await this.#tend(limit)) as [number, number, number, ...(string | number)[]];
    if (forwards !== 0) throw new Error(`There are ${forwards} entries in the forward log.`);
    return [moved, nextMs < 0 ? 'none' : nextMs === 0 ? 'due' : 'later', ...held];
  }

  async #tend(limit: number): Promise<unknown> {
    return ((await this.#run('tend', tendKeysOf(this.#place), [limit, 'g'])) as unknown[])[0];
  }

  ripen(): Promise<void> {
    return this.#scores.ripen();
  }

  leave(member: Member): Promise<unknown> {
    return this.#run('forget-member', [this.#place.keys.log, this.#place.groupKeys.again], ['g', member]);
  }

  audit(): Promise<unknown> {
    return this.#run('audit', auditKeysOf(this.#place), ['g']).then(async (found) => {
      await this.#scores.set();
      return (found as number[])[0];
    });
  }

  async view(): Promise<View> {
    const { keys, groupKeys } = this.#place;
    const [log, again, next] = (await Promise.all([
      this.#call('XRANGE', keys.log, '-', '+'),
      this.#call('XRANGE', groupKeys.again, '-', '+'),
      this.#call('HGET', keys.meta, 'next'),
    ])) as [Rows, Rows, string];
    const ordinals = { log: this.#learn('log', log), retry: this.#learn('retry', again) };
    return {
      next: Number(next),
      log: log.map(([id, fields], index) => [ordinals.log[index]!, ...contentOf(id, fields)]),
      again: again.map(([, [, body]], index) => [ordinals.retry[index]!, JSON.parse(body!) as Body]),
      ...(await this.#marks(Number(next))),
      ...(await this.#counts()),
    };
  }

  async #marks(next: number): Promise<Pick<View, 'pending' | 'consumers' | 'begun' | 'due' | 'dead' | 'settled'>> {
    const { dead, begun } = this.#place.groupKeys;
    const [log, retry, due, settled, letters, marked] = await Promise.all([
      this.#pending('log'), this.#pending('retry'), this.#scores.rows(), this.#settled(next), this.#call('XRANGE', dead, '-', '+'),
      this.#call('HKEYS', begun),
    ]);
    return {
      pending: { log, retry },
      consumers: { log: await this.#consumers('log'), retry: await this.#consumers('retry') },
      begun: (marked as string[]).map((id) => this.#ids.retry.indexOf(id)).sort((a, b) => a - b),
      due: due.map(([member, isRipe]) => [member.startsWith('[') ? (JSON.parse(member) as Body) : member, isRipe]),
      settled,
      dead: (letters as Rows).map(([, [, envelope, , reason]]) => [envelope!, reason!]),
    };
  }

  async #counts(): Promise<Pick<View, 'lag' | 'open' | 'stats' | 'keys'>> {
    const { keys, groupKeys } = this.#place;
    const state = this.#inspector.group(topicOf(Single), 'g');
    const [open, stats, current, previous] = (await Promise.all([
      this.#call('ZRANGE', groupKeys.open, 0, -1),
      this.#call('HGETALL', groupKeys.stats),
      this.#call('HGETALL', keys.ids[1]),
      this.#call('HGETALL', keys.ids[0]),
    ])) as [string[], string[], string[], string[]];
    return {
      open: open.map((text) => {
        const [offset, , attempt, crashes] = text.split(' ').map(Number);
        return [offset!, attempt!, crashes!] as const;
      }),
      lag: (await state).lag,
      stats: Object.fromEntries(pairs(stats).filter(([name]) => name !== 'seen' && name !== 'whole').map(([name, count]) => [name, Number(count)])),
      keys: { current: keysIn(current, '1'), previous: keysIn(previous, '0') },
    };
  }

  /** Entries are identified by their order: new ones come last. */
  #learn(kind: Kind, rows: Rows): number[] {
    const known = this.#ids[kind];
    for (const [id] of rows) if (!known.includes(id)) known.push(id);
    return rows.map(([id]) => known.indexOf(id));
  }

  async #pending(kind: Kind): Promise<Pending[]> {
    const rows = (await this.#call('XPENDING', this.#key(kind), 'g', '-', '+', 1_000)) as [string, string][];
    return rows.map(([id, owner]) => [this.#ids[kind].indexOf(id), owner]);
  }

  async #consumers(kind: Kind): Promise<string[]> {
    const rows = (await this.#call('XINFO', 'CONSUMERS', this.#key(kind), 'g')) as [string, string][];
    return rows.map(([, name]) => name).sort();
  }

  async #settled(next: number): Promise<number[]> {
    const offsets = Array.from({ length: next }, (_, offset) => offset);
    const bits = await Promise.all(offsets.map((offset) => this.#call('GETBIT', this.#page(pageOf(offset)), offset % PAGE)));
    return offsets.filter((offset) => bits[offset] === 1);
  }

  #page(page: number): string {
    return settledKey(this.#prefix, this.#place, page * SETTLED_PAGE_OFFSETS);
  }

  #key(kind: Kind): string {
    return kind === 'log' ? this.#place.keys.log : this.#place.groupKeys.again;
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

function pageOf(offset: number): number {
  return Math.floor(Math.max(0, offset) / PAGE);
}

function contentOf(id: string, fields: readonly string[]): [base: number, envelopes: readonly string[]] {
  const entry = entryOf(id, fields);
  return entry ? [entry.base, entry.envelopes] : [-1, [JSON.stringify(fields)]];
}

/** The idempotency keys of a batch in the form of `publish.lua`: keys, a line of digest and id for each, places. */
function usesOf(messages: readonly Published[]): string {
  const keyed = messages.map((message, index) => ({ ...message, place: index + 1 })).filter(({ key }) => key !== '');
  if (keyed.length === 0) return '';
  const identities = keyed.map(({ digest, id }) => `${digest} ${id}`).join('\n');
  return JSON.stringify([keyed.map(({ key }) => key), identities, keyed.map(({ place }) => place)]);
}
