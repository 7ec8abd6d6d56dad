import { topicOf } from '@millrace/core';
import { loadScript, type RedisArgument, type RedisConnection, type Topology } from '@millrace/redis';
import { groupPartition, type GroupPartition } from '../../src/consume/group-partition.js';
import { settleKeysOf } from '../../src/consume/settle-call.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../../src/keys.js';
import { spanOfId } from '../../src/log/entry-id.js';
import { TopicLog } from '../../src/log/topic-log.js';
import { attemptRecordOf, attemptText } from '../../src/ordered/attempt-record.js';
import { OWNER } from '../../src/own/owner-consumer.js';
import { keyed } from '../ordered/keyed-deliveries.js';
import { Single } from '../topics.js';
import { pairs } from './hash.js';
import type { Ending, OrderedEntry, OrderedMode, Owner, OwnerRecord, Tenure } from './ordered-mode.js';

const scripts = new Map(
  (['publish', 'acquire', 'release', 'fetch', 'note', 'settle'] as const).map((name) => [name, loadScript(`../../src/scripts/${name}.lua`, import.meta.url)]),
);
type Name = Parameters<typeof scripts.get>[0];

/** The visible state of an ordered group in one partition, of the model and of Redis alike. */
export interface OrderedView {
  readonly owner: string;
  readonly epoch: number;
  readonly pending: readonly (readonly [base: number, consumer: string])[];
  readonly settled: readonly number[];
  readonly tried: Readonly<Record<string, number>>;
  readonly dead: number;
  readonly counts: Readonly<Record<string, number>>;
}

export function orderedViewOf(model: OrderedMode): OrderedView {
  const { handled, deadLettered, fenced } = model.counts;
  return {
    owner: model.owner,
    epoch: model.epoch,
    pending: ascending(model.pending).map((base) => [base, OWNER]),
    settled: ascending(model.settled),
    tried: Object.fromEntries(model.tried),
    dead: model.dead.length,
    counts: { settled: handled + deadLettered, handled, deadLettered, fenced },
  };
}

/** One ordered group in one partition in Redis, through the scripts themselves. */
export class OrderedGroup {
  readonly #redis: RedisConnection;
  readonly #place: GroupPartition;
  readonly #prefix: string;
  #published = 0;

  private constructor(redis: Topology, prefix: string) {
    this.#place = groupPartition(prefix, { topic: topicOf(Single).name, partition: 0 }, 'g');
    this.#redis = redis.controlFor(this.#place.keys.log);
    this.#prefix = prefix;
  }

  static async create(redis: Topology, prefix: string): Promise<OrderedGroup> {
    const group = new OrderedGroup(redis, prefix);
    await new TopicLog(redis, prefix).recover(group.#place, 'g');
    return group;
  }

  async publish(size: number): Promise<void> {
    const { log, meta, producers } = this.#place.keys;
    const texts = Array.from({ length: size }, (_, index) => `[1,"${this.#published}.${index}","k",null,null,{}]`);
    this.#published += 1;
    const args = ['p', this.#published, 0, size, size, SETTLED_PAGE_OFFSETS, 0, '0', 1, `[${texts.join(',\n')}]`];
    await this.#run('publish', [log, meta, producers], args);
  }

  async acquire(member: Owner, { owner, epoch }: OwnerRecord): Promise<number | OwnerRecord> {
    const args = ['g', member, owner, epoch === 0 ? '' : epoch, 1, ''];
    const [reply] = (await this.#run('acquire', [this.#control, this.#place.keys.meta], args)) as [number | [string, string]];
    return typeof reply === 'number' ? reply : { owner: reply[0], epoch: Number(reply[1]) };
  }

  async release({ member, epoch }: Tenure): Promise<unknown> {
    return ((await this.#run('release', [this.#control], ['g', member, epoch, ''])) as unknown[])[0];
  }

  async fetch({ member, epoch }: Tenure, { count, isNew }: { count: number; isNew: boolean }): Promise<number[] | null> {
    const { keys, groupKeys } = this.#place;
    const after = isNew ? '>' : '0-0';
    const args = ['g', OWNER, member, 0, epoch, 1, 0, '', count, after, after];
    const [reply] = (await this.#run('fetch', [this.#control, keys.log, groupKeys.again, keys.meta], args)) as ['LOST' | [[string][], unknown[]]];
    return reply === 'LOST' ? null : reply[0].map(([id]) => spanOfId(id)!.base);
  }

  note({ member, epoch }: Tenure, offset: number, attempt: number): Promise<unknown> {
    const text = attemptText(keyed('k', offset, { attempt }), { begunIn: 0, dueAtMs: 0, delayMs: 0 });
    const keys = [this.#control, this.#place.groupKeys.stats, settledKey(this.#prefix, this.#place, offset)];
    return this.#run('note', keys, [`${member} ${epoch}`, `tried:${offset}`, text, '1', `bit ${offset % SETTLED_PAGE_OFFSETS}`]);
  }

  /** @param entry the one that holds the message */
  async settle({ member, epoch }: Tenure, offset: number, how: Ending & { readonly entry: OrderedEntry }): Promise<string> {
    const { entry: { base, size }, outcome, isRepetition } = how;
    const id = await this.#idOf(base);
    const values = outcome === 'ack' ? ['handled', ''] : ['envelope', '{"reason":"r"}'];
    const head = ['g', `${OWNER} ${member} ${epoch} ${offset}`, 'log', SETTLED_PAGE_OFFSETS, isRepetition ? '1' : '0', '0', 100, 0];
    const keys = [...settleKeysOf(this.#place.streams[0]), this.#page];
    return String(await this.#run('settle', keys, [...head, id, base, size, offset, 1, outcome, ...values, '']));
  }

  async view(next: number): Promise<OrderedView> {
    const { keys, groupKeys } = this.#place;
    const control = new Map(pairs((await this.#call('HGETALL', this.#control)) as string[]));
    const pending = (await this.#call('XPENDING', keys.log, 'g', '-', '+', 1_000)) as [string, string][];
    const bits = await Promise.all(Array.from({ length: next }, (_, offset) => this.#call('GETBIT', this.#page, offset)));
    const stats = new Map(pairs((await this.#call('HGETALL', groupKeys.stats)) as string[]));
    const tried = [...control].filter(([field]) => field.startsWith('tried:'));
    return {
      owner: control.get('owner') ?? '',
      epoch: Number(control.get('epoch') ?? 0),
      pending: pending.map(([id, consumer]) => [spanOfId(id)!.base, consumer]),
      settled: bits.flatMap((bit, offset) => (bit === 1 ? [offset] : [])),
      tried: Object.fromEntries(tried.map(([field, text]) => [field.slice('tried:'.length), attemptRecordOf(text)!.attempt])),
      dead: Number(await this.#call('XLEN', groupKeys.dead)),
      counts: Object.fromEntries(['settled', 'handled', 'deadLettered', 'fenced'].map((name) => [name, Number(stats.get(name) ?? 0)])),
    };
  }

  async #idOf(base: number): Promise<string> {
    const rows = (await this.#call('XRANGE', this.#place.keys.log, '-', '+')) as [string, string[]][];
    return rows.find(([id]) => spanOfId(id)!.base === base)![0];
  }

  get #control(): string {
    return this.#place.groupKeys.control;
  }

  get #page(): string {
    return settledKey(this.#prefix, this.#place, 0);
  }

  #call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#redis.call(command, ...args);
  }

  #run(name: Name, keys: string[], args: RedisArgument[]): Promise<unknown> {
    return this.#redis.run(scripts.get(name)!, keys, args);
  }
}

function ascending(offsets: Iterable<number>): number[] {
  return [...offsets].sort((a, b) => a - b);
}
