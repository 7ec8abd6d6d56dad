import { type DeadLetterHandler, emit, errorRecord, Loop, MillraceError } from '@millrace/core';
import type { RedisConnection } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import type { Presence, Watcher } from '../group/presence.js';
import { Telling } from './telling.js';
import { NOBODY, type Sight, type UntoldLetter, UntoldLetters } from './untold-letters.js';

export interface DeadLetterHookParts {
  readonly redis: RedisConnection;
  readonly presence: Presence;
  readonly member: string;
  readonly partitions: readonly GroupPartition[];
  readonly handler: DeadLetterHandler;
  /** Dead letters at once, those included that wait for another attempt. */
  readonly concurrency: number;
  readonly crashLimit: number;
  readonly stuckAfterMs: number;
}

/** How late a dead letter may be told that another member wrote, and does not tell itself. */
const LOOK_EVERY_MS = 5_000;

/**
 * Tells the handler of dead letters of each of them. It is a consumer group of its own on the stream of dead letters: what a
 * member reads there it holds, until it has told it or its process is gone.
 */
export class DeadLetterHook implements Watcher {
  readonly #parts: DeadLetterHookParts;
  readonly #letters: UntoldLetters;
  readonly #loop: Loop;
  readonly #tellings = new Set<Telling>();
  #holders: ReadonlySet<string> = new Set();
  #isHeld = false;
  #mayBeMore = false;
  #problem: string | null = null;
  readonly #waiting: (() => void)[] = [];
  readonly #onEnd: (() => void)[] = [];

  constructor(parts: DeadLetterHookParts) {
    this.#parts = parts;
    this.#letters = new UntoldLetters(parts);
    this.#loop = new Loop({ name: 'hook', round: () => this.#round(), onError: (error, failures) => this.#failed(error, failures) });
  }

  /** Others that hold dead letters: those of one that dies are told here. */
  get watched(): ReadonlySet<string> {
    return this.#holders;
  }

  readonly onDeath = (): void => this.#loop.wake();

  readonly onReturn = (): void => this.#begin();

  /** Has the hook begin, where it is new, at the end of the dead letters that are there. */
  async declare(): Promise<void> {
    await this.#letters.declare();
  }

  start(): void {
    this.#parts.presence.watch(this);
    this.#loop.start();
  }

  /** There is a new dead letter. */
  wake(): void {
    this.#loop.wake();
  }

  /** Begins nothing from now on. */
  pause(): void {
    this.#isHeld = true;
  }

  resume(): void {
    this.#isHeld = false;
    this.#begin();
  }

  /** Resolves when no handler is at work. */
  async drain(): Promise<void> {
    while ([...this.#tellings].some(({ isAtWork }) => isAtWork)) await new Promise<void>((resolve) => this.#onEnd.push(resolve));
  }

  /** Why nothing gets on, or null while all is well. */
  problem(): string | null {
    const { concurrency, stuckAfterMs } = this.#parts;
    const isStuck = this.#tellings.size >= concurrency && [...this.#tellings].every(({ atWorkMs }) => atWorkMs > stuckAfterMs);
    return isStuck ? `all ${concurrency} calls of the handler of dead letters are stuck: give it a timeout` : this.#problem;
  }

  /** Waits for handlers no longer: what they say counts for nothing. */
  giveUp(): void {
    const { topic, group } = this.#parts.partitions[0]!;
    for (const telling of this.#tellings) telling.giveUp(stopped(topic, group));
    this.#tellings.clear();
    this.#ended();
  }

  /** Leaves what is not told to others. */
  async leave(): Promise<void> {
    this.#parts.presence.unwatch(this);
    await this.#loop.stop();
    this.giveUp();
    await this.#letters.leave();
  }

  async #round(): Promise<number> {
    const { presence, concurrency } = this.#parts;
    const room = concurrency - this.#tellings.size;
    if (room <= 0 || this.#isHeld || !presence.isSure) return LOOK_EVERY_MS;
    const sights = await this.#letters.look(room);
    for (const { letters } of sights) this.#tell(letters);
    this.#holders = new Set(sights.flatMap(({ holders }) => holders).filter((holder) => holder !== NOBODY));
    for (const sight of sights) await this.#takeOver(sight);
    this.#mayBeMore = this.#tellings.size >= concurrency || sights.some(({ holders }) => holders.length > 0);
    const failure = sights.find((sight) => sight.failure)?.failure;
    if (failure) throw failure;
    this.#problem = null;
    return LOOK_EVERY_MS;
  }

  /** What nobody tells that lives; and what came in a reply that was lost. */
  async #takeOver({ partition, own, holders, letters }: Sight): Promise<void> {
    const { member, presence } = this.#parts;
    const known = this.#idsIn(partition);
    if (own + letters.length > known.length) await this.#takeFrom(partition, { from: member, crashed: false, kept: known });
    for (const from of holders) {
      const fate = from === NOBODY ? 'left' : presence.fateOf(from);
      if (fate !== 'living') await this.#takeFrom(partition, { from, crashed: fate === 'dead', kept: [] });
    }
  }

  /** Of those that have crashed one at a time, so that the next crash tells which of them it was. */
  async #takeFrom(partition: GroupPartition, source: { from: string; crashed: boolean; kept: readonly string[] }): Promise<void> {
    const most = this.#parts.concurrency - this.#tellings.size;
    const mostSuspects = [...this.#tellings].some(({ letter }) => letter.crashes > 0) ? 0 : 1;
    if (most > 0) this.#tell(await this.#letters.handOver(partition, { ...source, to: this.#parts.member, most, mostSuspects }));
  }

  #tell(letters: readonly UntoldLetter[]): void {
    const { handler, crashLimit } = this.#parts;
    const feedback = { mayBegin: () => this.#mayBegin(), attemptEnded: () => this.#ended() };
    for (const letter of letters) {
      const telling = new Telling(letter, { letters: this.#letters, handler, crashLimit, ...feedback });
      this.#tellings.add(telling);
      void telling.run().then(() => this.#done(telling));
    }
  }

  #done(telling: Telling): void {
    this.#tellings.delete(telling);
    this.#ended();
    if (this.#mayBeMore) this.#loop.wake();
  }

  #idsIn(partition: GroupPartition): string[] {
    return [...this.#tellings].filter(({ letter }) => letter.partition === partition).map(({ letter }) => letter.id);
  }

  async #mayBegin(): Promise<void> {
    while (this.#isHeld || !this.#parts.presence.isSure) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #begin(): void {
    for (const go of this.#waiting.splice(0)) go();
    this.#loop.wake();
  }

  #ended(): void {
    for (const heard of this.#onEnd.splice(0)) heard();
  }

  #failed(error: Error, failures: number): void {
    const { topic, group } = this.#parts.partitions[0]!;
    this.#problem = error.message;
    emit('loop-failed', { topic, group, loop: 'hook', error: errorRecord(error), failures });
  }
}

function stopped(topic: string, group: string): MillraceError {
  return new MillraceError(
    'CLOSED',
    `Group '${group}' is being stopped in this process and its time is up: another process tells of this dead letter of topic '${topic}'. Stop.`,
  );
}
