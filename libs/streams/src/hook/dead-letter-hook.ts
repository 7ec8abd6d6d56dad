import { type DeadLetterHandler, emit, errorRecord, Loop, MillraceError, type Watcher } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import type { Presence } from '../group/presence.js';
import { HookCall } from './hook-call.js';
import { NOBODY, type LookResult, type UnreportedLetter, UnreportedLetters } from './unreported-letters.js';

export interface DeadLetterHookParts {
  readonly redis: Topology;
  readonly presence: Presence;
  readonly member: string;
  readonly partitions: readonly GroupPartition[];
  readonly handler: DeadLetterHandler;
  /** Dead letters at once, those included that wait for another attempt. */
  readonly concurrency: number;
  readonly crashLimit: number;
  readonly stuckAfterMs: number;
}

/** Longest delay until a dead letter is found that another member wrote, and does not report itself. */
const LOOK_EVERY_MS = 5_000;

/**
 * Calls the handler of dead letters for each dead letter. The hook is a consumer group of its own on the stream of dead letters:
 * a member holds the entries that it has read there, until it has reported them or its process is gone.
 */
export class DeadLetterHook implements Watcher {
  readonly #parts: DeadLetterHookParts;
  readonly #letters: UnreportedLetters;
  readonly #loop: Loop;
  readonly #calls = new Set<HookCall>();
  #holders: ReadonlySet<string> = new Set();
  #isHeld = false;
  #mayBeMore = false;
  #problem: string | null = null;
  readonly #waiting: (() => void)[] = [];
  readonly #onEnd: (() => void)[] = [];

  constructor(parts: DeadLetterHookParts) {
    this.#parts = parts;
    this.#letters = new UnreportedLetters(parts);
    this.#loop = new Loop({ name: 'hook', round: () => this.#round(), onError: (error, failures) => this.#failed(error, failures) });
  }

  /** Other members that hold dead letters: when one dies, its dead letters are reported here. */
  get watched(): ReadonlySet<string> {
    return this.#holders;
  }

  readonly onGone = (): void => this.#loop.wake();

  readonly onReturn = (): void => this.#begin();

  /** Makes the hook where it is new, at the present end of the dead letters. */
  async declare(): Promise<void> {
    await this.#letters.declare();
  }

  start(): void {
    this.#parts.presence.watch(this);
    this.#loop.start();
  }

  /** Called when there is a new dead letter. */
  wake(): void {
    this.#loop.wake();
  }

  /** Starts no handler from now on. */
  pause(): void {
    this.#isHeld = true;
  }

  resume(): void {
    this.#isHeld = false;
    this.#begin();
  }

  /** Resolves when no handler is at work. */
  async drain(): Promise<void> {
    while ([...this.#calls].some(({ isAtWork }) => isAtWork)) await new Promise<void>((resolve) => this.#onEnd.push(resolve));
  }

  /** Why the hook makes no progress, or null. */
  problem(): string | null {
    const { concurrency, stuckAfterMs } = this.#parts;
    const isStuck = this.#calls.size >= concurrency && [...this.#calls].every(({ atWorkMs }) => atWorkMs > stuckAfterMs);
    return isStuck ? `all ${concurrency} calls of the handler of dead letters are stuck: give it a timeout` : this.#problem;
  }

  /** Waits for handlers no longer, and ignores their results. */
  giveUp(): void {
    const { topic, group } = this.#parts.partitions[0]!;
    for (const call of this.#calls) call.giveUp(stopped(topic, group));
    this.#calls.clear();
    this.#ended();
  }

  /** Stops, and leaves unreported dead letters to others. */
  async leave(): Promise<void> {
    this.#parts.presence.unwatch(this);
    await this.#loop.stop();
    this.giveUp();
    await this.#letters.leave();
  }

  async #round(): Promise<number> {
    const { presence, concurrency } = this.#parts;
    const room = concurrency - this.#calls.size;
    if (room <= 0 || this.#isHeld || !presence.isSure) return LOOK_EVERY_MS;
    const results = await this.#letters.look(room);
    for (const { letters } of results) this.#call(letters);
    this.#holders = new Set(results.flatMap(({ holders }) => holders).filter((holder) => holder !== NOBODY));
    for (const result of results) await this.#takeOver(result);
    this.#mayBeMore = this.#calls.size >= concurrency || results.some(({ holders }) => holders.length > 0);
    const failure = results.find((result) => result.failure)?.failure;
    if (failure) throw failure;
    this.#problem = null;
    return LOOK_EVERY_MS;
  }

  /** Takes over dead letters that no living member holds, and its own ones whose read was lost. */
  async #takeOver({ partition, own, holders, letters }: LookResult): Promise<void> {
    const { member, presence } = this.#parts;
    const known = this.#idsIn(partition);
    if (own + letters.length > known.length) await this.#takeFrom(partition, { from: member, crashed: false, kept: known });
    for (const from of holders) {
      const fate = from === NOBODY ? 'left' : presence.fateOf(from);
      if (fate !== 'living') await this.#takeFrom(partition, { from, crashed: fate === 'dead', kept: [] });
    }
  }

  /** Takes suspects, which have crashed, one at a time, so that the next crash identifies its cause. */
  async #takeFrom(partition: GroupPartition, source: { from: string; crashed: boolean; kept: readonly string[] }): Promise<void> {
    const most = this.#parts.concurrency - this.#calls.size;
    const mostSuspects = [...this.#calls].some(({ letter }) => letter.crashes > 0) ? 0 : 1;
    if (most > 0) this.#call(await this.#letters.handOver(partition, { ...source, to: this.#parts.member, most, mostSuspects }));
  }

  #call(letters: readonly UnreportedLetter[]): void {
    const { handler, crashLimit } = this.#parts;
    const feedback = { mayBegin: () => this.#mayBegin(), attemptEnded: () => this.#ended() };
    for (const letter of letters) {
      const call = new HookCall(letter, { letters: this.#letters, handler, crashLimit, ...feedback });
      this.#calls.add(call);
      void call.run().then(() => this.#done(call));
    }
  }

  #done(call: HookCall): void {
    this.#calls.delete(call);
    this.#ended();
    if (this.#mayBeMore) this.#loop.wake();
  }

  #idsIn(partition: GroupPartition): string[] {
    return [...this.#calls].filter(({ letter }) => letter.partition === partition).map(({ letter }) => letter.id);
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
    `Group '${group}' is being stopped in this process and its time is up: another process handles this dead letter of topic '${topic}'. Stop.`,
  );
}
