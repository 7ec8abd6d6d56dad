import { asError, backoffDelayMs, emit, errorRecord, LOOP_BACKOFF } from '@millrace/core';
import { redisFailure } from '@millrace/redis';
import type { Feedback } from '../consume/feedback.js';
import type { GroupPartition, GroupStream } from '../consume/group-partition.js';
import type { RingWait } from './ring-wait.js';
import { LostPartitions } from './lost-partitions.js';
import type { ReadWay } from './read-way.js';

const READY_WAIT_MS = 1_000;
const NO_CONNECTION = 'there is no connection to Redis';

/**
 * The end of a problem: when the partitions are looked after; or else when a read goes well, or none is needed; or a read alone,
 * as after the removal of the group.
 */
export type ProblemEnd = 'look' | 'needless' | 'read';

interface Problem {
  readonly why: string;
  readonly until: ProblemEnd;
}

export interface ConnectionReaderParts {
  readonly way: Pick<ReadWay, 'isReady' | 'whenReady' | 'epochOf'>;
  readonly rings: Pick<RingWait, 'putOff' | 'lookAt'>;
  readonly feedback: Pick<Feedback, 'isLost' | 'recover' | 'rejoin'>;
  /** Called after the partitions were looked after, since replies of reads may have been lost. */
  readonly onRejoined: () => void;
}

/**
 * Reads the partitions of a subscription that one connection leads to. They are lost, and found again, together, and those of
 * another connection do not wait for them.
 */
export class ConnectionReader {
  readonly places: readonly GroupPartition[];
  readonly #parts: ConnectionReaderParts;
  readonly #lost: LostPartitions;
  readonly #putOff = new Set<GroupStream>();
  /** The epoch of the connection when the partitions were looked after last. */
  #readOn: number;
  #problem: Problem | null = null;
  /** Messages may have been given to this member that it has not seen. */
  #isDoubtful = false;
  #failures = 0;
  #restsUntilMs = 0;
  #busy: Promise<void> | null = null;
  #asked = 0;

  constructor(parts: ConnectionReaderParts, places: readonly GroupPartition[]) {
    this.#parts = parts;
    this.places = places;
    this.#lost = new LostPartitions(places, parts.feedback);
    this.#readOn = parts.way.epochOf(this.#first);
  }

  /** Why nothing can be read here, or null while all is well, also when there is nothing to read. */
  get problem(): string | null {
    const isReady = this.#parts.way.isReady(this.#first);
    return this.#problem?.why ?? (isReady ? null : NO_CONNECTION);
  }

  /** Whether it can be read at once. */
  get isOpen(): boolean {
    const { way } = this.#parts;
    return this.#busy === null && !this.#isDoubtful && way.isReady(this.#first) && way.epochOf(this.#first) === this.#readOn;
  }

  /** How many entries a read asks for that is under way; 0 when none is. */
  get asked(): number {
    return this.#asked;
  }

  /** How long until it pays to try again, in milliseconds. */
  get restsMs(): number {
    return Math.max(0, this.#restsUntilMs - performance.now());
  }

  /** The partitions are looked after before the next read. A problem that only a read ends stays one. */
  doubt(why: string | null, until: ProblemEnd = 'look'): void {
    if (why !== null) this.#problem = { why, until: this.#problem?.until === 'read' ? 'read' : until };
    this.#isDoubtful = true;
  }

  /** Nothing is to be read here: its partitions may belong to others by now. So no read can show that one goes well again. */
  needless(): void {
    if (!this.isOpen || this.#problem?.until === 'read') return;
    [this.#problem, this.#failures] = [null, 0];
  }

  /** Looks after the partitions, if that can be done now. Whether it could, {@link isOpen} tells afterwards. */
  async open(signal: AbortSignal): Promise<void> {
    if (this.#busy === null && this.restsMs === 0) await this.#during(() => this.#lookAfter(signal), signal);
  }

  /**
   * A failure is reported here, and brings nothing.
   *
   * @param asked for how many entries
   * @returns how many messages came
   */
  async read(asked: number, work: () => Promise<number>, signal: AbortSignal): Promise<number> {
    let messages = 0;
    this.#asked = asked;
    await this.#during(async () => {
      messages = await work();
      [this.#problem, this.#failures] = [null, 0];
    }, signal);
    this.#asked = 0;
    return messages;
  }

  /** A stream that is worth a read is looked at when this one can be read. */
  putOff(stream: GroupStream): void {
    if (this.#busy !== null) this.#putOff.add(stream);
    this.#parts.rings.putOff(stream, this.#busy === null ? this.restsMs : Infinity);
  }

  /** Resolves when nothing is under way. */
  async rest(): Promise<void> {
    await this.#busy;
  }

  get #streams(): GroupStream[] {
    return this.places.flatMap(({ streams }) => streams);
  }

  get #first(): GroupStream {
    return this.places[0]!.streams[0];
  }

  /** After a failed read Redis may have given entries to this member. */
  async #lookAfter(signal: AbortSignal): Promise<void> {
    const { way, rings, feedback, onRejoined } = this.#parts;
    if (!(await way.whenReady(this.#first, READY_WAIT_MS, signal))) {
      if (!signal.aborted) this.doubt(NO_CONNECTION);
      return;
    }
    const epoch = way.epochOf(this.#first);
    if (epoch !== this.#readOn) this.doubt('the connection to Redis was lost');
    const wasDoubtful = this.#isDoubtful;
    // A doubt that comes meanwhile is not the one that is seen to here.
    this.#isDoubtful = false;
    if (wasDoubtful) await feedback.rejoin(this.places);
    if (this.#problem !== null) onRejoined();
    if (!this.#isDoubtful && this.#problem?.until === 'look') this.#problem = null;
    this.#readOn = epoch;
    for (const stream of this.#streams) rings.lookAt(stream);
  }

  async #during(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const working = this.#tried(work, signal);
    this.#busy = working;
    await working;
    this.#busy = null;
    for (const stream of this.#putOff) this.#parts.rings.lookAt(stream);
    this.#putOff.clear();
  }

  async #tried(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (redisFailure(error, 'fetch').kind === 'state-lost') await this.#lost.find();
      if (!signal.aborted) this.#failed(asError(error));
    }
  }

  #failed(error: Error): void {
    const { topic, group } = this.places[0]!;
    this.#failures += 1;
    this.#restsUntilMs = performance.now() + backoffDelayMs(LOOP_BACKOFF, this.#failures);
    emit('loop-failed', { topic, group, loop: 'fetch', error: errorRecord(error), failures: this.#failures });
    for (const stream of this.#streams) this.#parts.rings.putOff(stream, this.restsMs);
    if (this.#lost.isEmpty) return this.doubt(error.message, isOfConnection(error) ? 'look' : 'needless');
    // A reason why it cannot be made again says more than that it is gone.
    this.doubt(this.#problem?.why ?? error.message, 'needless');
    void this.#lost.recover().then((why) => this.doubt(why, 'needless'));
  }
}

function isOfConnection(error: Error): boolean {
  const { kind } = redisFailure(error, 'fetch');
  return kind === 'unsent' || kind === 'indeterminate';
}
