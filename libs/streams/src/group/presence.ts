import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { emit, errorRecord, type Fate, Loop, type PresencePort, type Watcher } from '@millrace/core';
import { loadScript, type RedisConnection, settlesWithin, type Topology } from '@millrace/redis';
import { presenceKey } from '../keys.js';
import { numberOf, PRESENCE_KEPT_MS, processOf } from './member-name.js';
import { PresenceRecord } from './presence-record.js';
import { type Look, Silence } from './silence.js';

const beat = loadScript('../scripts/beat.lua', import.meta.url);

/** Beats in one lease at the least, and the longest time between two. */
const BEATS_A_LEASE = 10;
const LONGEST_BEAT_MS = 750;
/** A process whose last beat is older than this part of a lease starts nothing: others may take it for dead soon. */
const SURE_FOR_LEASES = 0.7;
/** The pause between rounds of a process that has no member and watches none. */
const IDLE_MS = 60_000;

export interface PresenceParts {
  readonly redis: Pick<Topology, 'controlFor' | 'publishFor'>;
  readonly prefix: string;
  readonly leaseMs: number;
}

/**
 * The sign of life of this process, and what it knows of others. It raises a counter; a process that sees the
 * counter stand still for a lease takes this one for dead, with all that its members hold.
 */
export class Presence implements PresencePort {
  readonly leaseMs: number;
  readonly beatMs: number;
  readonly #prefix: string;
  /** The first that answers is used: no single connection that fails may make this process look dead. */
  readonly #connections: readonly RedisConnection[];
  readonly #process = `${hostname().replace(/[^A-Za-z0-9-]/g, '-')}-${process.pid}-${randomBytes(6).toString('hex')}`;
  readonly #silence: Silence;
  readonly #loop: Loop;
  readonly #watchers = new Set<Watcher>();
  /** The last record of each process. */
  #records: ReadonlyMap<string, PresenceRecord> = new Map();
  /** Numbers of the present members of this process, in ascending order. */
  readonly #present = new Set<number>();
  readonly #stopping = new Set<number>();
  /** How many members this process has had. */
  #members = 0;
  #leftSomething = false;
  #count = 0;
  #turn = 0;
  /** How many beats have failed since one was answered. */
  #failures = 0;
  /** When the last beat that Redis answered was sent, by the monotonic clock. */
  #beatAtMs = Number.NEGATIVE_INFINITY;

  constructor({ redis, prefix, leaseMs }: PresenceParts) {
    this.leaseMs = leaseMs;
    this.beatMs = Math.min(leaseMs / BEATS_A_LEASE, LONGEST_BEAT_MS);
    this.#prefix = prefix;
    const key = this.#keyOf(this.#process);
    this.#connections = [redis.controlFor(key), redis.publishFor(key)];
    this.#silence = new Silence({ leaseMs, beatMs: this.beatMs });
    this.#loop = new Loop({
      name: 'presence',
      round: () => this.#round(),
      onError: (error, failures) => emit('loop-failed', { loop: 'presence', error: errorRecord(error), failures }),
    });
  }

  /** Whether nobody can take this process for dead yet: only then its members may begin messages. */
  get isSure(): boolean {
    return performance.now() - this.#beatAtMs <= this.leaseMs * SURE_FOR_LEASES;
  }

  /** Names a new member of this process; the name is never used again. Resolves when Redis knows that the process lives. */
  async join(): Promise<string> {
    this.#members += 1;
    this.#present.add(this.#members);
    const member = `${this.#process}.${this.#members}`;
    if (!this.isSure) await this.#beat(this.#connections[0]!);
    this.#loop.start();
    this.#loop.wake();
    return member;
  }

  /** From now on no message of the member counts as crashed, however its process ends. */
  stopping(member: string): void {
    this.#stopping.add(numberOf(member));
    this.#loop.wake();
  }

  /** Whether a member that somebody watches, or that belongs to this process, has said that it stops. */
  isStopping(member: string): boolean {
    const [process, number] = [processOf(member), numberOf(member)];
    if (process === this.#process) return this.#stopping.has(number);
    return this.#records.get(process)?.isStopping(number) ?? false;
  }

  /** The member is gone, and holds nothing. */
  departed(member: string): void {
    this.#present.delete(numberOf(member));
    this.#stopping.delete(numberOf(member));
  }

  /** The member is gone: others are to put back at once the messages that it could not give back. */
  async left(member: string): Promise<void> {
    this.departed(member);
    this.#leftSomething = true;
    await this.#beat(this.#connections[0]!);
  }

  watch(watcher: Watcher): void {
    this.#watchers.add(watcher);
    this.#loop.start();
    this.#loop.wake();
  }

  unwatch(watcher: Watcher): void {
    this.#watchers.delete(watcher);
  }

  /** The fate of a member that somebody watches, or that belongs to this process. */
  fateOf(member: string): Fate {
    const [process, number] = [processOf(member), numberOf(member)];
    if (process === this.#process) return this.#present.has(number) ? 'living' : 'left';
    const record = this.#records.get(process);
    if (record?.hasLeft(number)) return 'left';
    if (!this.#silence.isDead(process)) return 'living';
    return record?.isStopping(number) ? 'left' : 'dead';
  }

  /** Ends the beat. The record stays when members of this process left something behind. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    // A record that stays is no harm: the others find out that the process is gone.
    if (this.#members > 0 && !this.#leftSomething) await this.#connections[0]!.call('DEL', this.#keyOf(this.#process)).catch(() => 0);
  }

  /** A beat that is not answered in time is not waited for: the next one goes over the other connection. */
  async #round(): Promise<number> {
    if (this.#members === 0 && this.#watchers.size === 0) return IDLE_MS;
    const connection = this.#connections[this.#turn % this.#connections.length]!;
    const beating = this.#beat(connection).catch((error: unknown) => this.#failed(error));
    if (await settlesWithin(beating, this.beatMs)) return this.beatMs;
    this.#turn += 1;
    return 0;
  }

  /** The next beat follows as soon as there is a connection: each moment counts. */
  async #failed(error: unknown): Promise<void> {
    this.#turn += 1;
    this.#failures += 1;
    emit('loop-failed', { loop: 'presence', error: errorRecord(error), failures: this.#failures });
    await Promise.race(this.#connections.map((each) => each.whenReady(this.beatMs)));
  }

  async #beat(connection: RedisConnection): Promise<void> {
    const sentAtMs = performance.now();
    const processes = this.#watched();
    const keys = [this.#process, ...processes].map((each) => this.#keyOf(each));
    const reply = (await connection.run(beat, keys, [this.#words(), PRESENCE_KEPT_MS])) as (string | null)[];
    this.#failures = 0;
    this.#answered(new Map(processes.map((each, index) => [each, reply[index] ?? null])), sentAtMs);
  }

  /** Other processes whose members are watched. */
  #watched(): string[] {
    const processes = new Set<string>();
    for (const { watched } of this.#watchers) for (const member of watched) processes.add(processOf(member));
    processes.delete(this.#process);
    return [...processes];
  }

  #answered(look: Look, sentAtMs: number): void {
    if (sentAtMs <= this.#beatAtMs) return;
    const mayHaveDied = !this.isSure;
    this.#beatAtMs = sentAtMs;
    const dead = [...look.keys()].filter((process) => this.#silence.isDead(process));
    const someoneDied = this.#silence.looked(look, { sentAtMs, answeredAtMs: performance.now() });
    const before = this.#records;
    this.#records = new Map([...look.keys()].map((process) => [process, this.#recordOf(process)]));
    const changed = new Set([...look.keys()].filter((process) => this.#records.get(process) !== before.get(process)));
    const someoneRevived = dead.some((process) => !this.#silence.isDead(process));
    const newly = (says: (record: PresenceRecord, number: number) => boolean) => (member: string): boolean => {
      const [process, number] = [processOf(member), numberOf(member)];
      const earlier = before.get(process);
      return changed.has(process) && !(earlier && says(earlier, number)) && says(this.#records.get(process)!, number);
    };
    const hasLeft = newly((record, number) => record.hasLeft(number));
    const isStopping = newly((record, number) => record.isStopping(number));
    for (const watcher of this.#watchers) {
      if (mayHaveDied) watcher.onReturn();
      const members = changed.size > 0 ? [...watcher.watched] : [];
      if (someoneDied || members.some(hasLeft)) watcher.onGone();
      if (someoneRevived || members.some(isStopping)) watcher.onChanged?.();
    }
  }

  #recordOf(process: string): PresenceRecord {
    const [words, before] = [this.#silence.lastWords(process), this.#records.get(process)];
    return before?.isSameIn(words) ? before : new PresenceRecord(words);
  }

  /** The text of the beat; empty for a process without members, which only looks. */
  #words(): string {
    if (this.#members === 0) return '';
    this.#count += 1;
    return PresenceRecord.text(this.#count, { stopping: this.#stopping, highest: this.#members, present: this.#present });
  }

  #keyOf(process: string): string {
    return presenceKey(this.#prefix, process);
  }
}
