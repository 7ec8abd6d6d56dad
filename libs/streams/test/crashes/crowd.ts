import { setTimeout } from 'node:timers/promises';
import { type DeliveryContext, listen, topicOf } from '@millrace/core';
import type { DeadLetterRecord } from '@millrace/streams';
import { waitFor } from '@millrace/testing';
import type { Bed } from '../bed.js';
import { type Process, signal, startProcess, subscribe } from '../fixture.js';
import { Single } from '../topics.js';

const GROUP = 'g';
/** Messages with values from here on are handled at once. */
const FIRST_BRIEF = 1_000;
/** Messages with values from here on are for members that die on purpose. */
const FIRST_WITNESS = 10_000;
/** Limit for noticing a death and handling the dead member's messages, in leases; far longer than it should take. */
const RECOVERY_LEASES = 3;

/** A gate that a handler waits for. */
const newEnding = () => signal();
type Ending = ReturnType<typeof newEnding>;

/** How a member reaches Redis. */
interface Way {
  /** Default: directly. */
  readonly url?: string;
}

export interface Run {
  readonly value: number;
  /** The member whose handler it was. */
  readonly by: string;
  readonly attempt: number;
  readonly crashes: number;
}

/** Counts of harm to messages whose holders lived all the time: all should be 0. */
export interface Harm {
  /** Messages that were given to a second handler. */
  readonly again: readonly number[];
  /** Messages that were given to a handler with a crash. */
  readonly crashed: readonly number[];
  readonly deadLetters: readonly string[];
  /** Messages that were taken over, according to events. */
  readonly takenOver: number;
  /** Outcomes that Redis refused. */
  readonly fenced: number;
}

export const NO_HARM: Harm = { again: [], crashed: [], deadLetters: [], takenOver: 0, fenced: 0 };

/** Members of one group, each with connections of its own, whose handlers hold their messages until they are ended. */
export class Crowd {
  readonly runs: Run[] = [];
  readonly #bed: Bed;
  readonly #leaseMs: number;
  readonly #publisher: Process;
  readonly #members: Process[] = [];
  readonly #ends = new Map<number, Ending>();
  readonly #stopListening: () => void;
  #reclaimed = 0;
  readonly #recoveryMs: number;
  #brief = 0;
  #witnesses = 0;
  #deaths = 0;

  private constructor(bed: Bed, leaseMs: number, publisher: Process) {
    this.#bed = bed;
    this.#leaseMs = leaseMs;
    this.#recoveryMs = leaseMs * RECOVERY_LEASES;
    this.#publisher = publisher;
    this.#stopListening = listen('reclaimed', ({ count }) => void (this.#reclaimed += count));
  }

  static async gather(bed: Bed, { leaseMs }: { leaseMs: number }): Promise<Crowd> {
    return new Crowd(bed, leaseMs, await startProcess(bed.url, { prefix: bed.prefix, leaseMs }));
  }

  async join(name: string, { slots, url = this.#bed.url }: Way & { slots: number }): Promise<Process> {
    const member = await startProcess(url, { prefix: this.#bed.prefix, leaseMs: this.#leaseMs });
    this.#members.push(member);
    const handle = ({ value }: Single, context: DeliveryContext): Promise<void> => this.#handle(name, value, context);
    await subscribe(member, { topic: Single, group: GROUP, concurrency: slots }, handle);
    return member;
  }

  /**
   * Resolves when so many members hold so many messages each, and each has a slot for one more.
   *
   * @returns the messages that are held
   */
  async hold(members: number, { each, ...way }: Way & { each: number }): Promise<number[]> {
    const names = Array.from({ length: members }, (_, index) => `member ${index}`);
    for (const name of names) {
      await this.join(name, { slots: each + 1, ...way });
      // Upkeep runs at intervals from the start of a member: those of the members must not coincide.
      await setTimeout(this.#leaseMs / 3 / members);
    }
    const values = Array.from({ length: members * (each + 1) }, (_, value) => value);
    await this.handOut(values);
    const ended = names.map((name) => this.runs.find(({ by }) => by === name)!.value);
    this.end(ended);
    return values.filter((value) => !ended.includes(value));
  }

  /** Publishes messages, and resolves when each is in a handler. */
  async handOut(values: readonly number[]): Promise<void> {
    await this.#publisher.publisher.publishMany(Single, values.map((value) => ({ payload: { value } })));
    await waitFor(() => values.every((value) => this.of(value).length > 0), { what: 'each message to be in a handler', timeoutMs: this.#recoveryMs });
  }

  /**
   * A member that holds one message, and is to die. It must join before any member with a free slot.
   *
   * @returns its death: resolves when another member has handled the message, after every member's silence was checked, and the
   *          member that put it back has told of it: that one may be the next to die
   */
  async witness(way: Way = {}): Promise<() => Promise<void>> {
    const value = FIRST_WITNESS + this.#witnesses++;
    const witness = await this.join(`witness ${value}`, { slots: 1, ...way });
    await this.handOut([value]);
    return async () => {
      witness.vanish();
      this.#deaths += 1;
      const isOver = (): boolean => this.of(value).length > 1 && this.#reclaimed >= this.#deaths;
      await waitFor(isOver, { what: 'the message of a dead member to be handled by another', timeoutMs: this.#recoveryMs });
    };
  }

  /** Publishes brief messages, one after the other, until `event` has happened. */
  async flowDuring(event: Promise<void>): Promise<void> {
    let isOver = false;
    const over = event.finally(() => (isOver = true));
    const flow = async (): Promise<void> => {
      while (!isOver) await this.handOut([FIRST_BRIEF + this.#brief++]);
    };
    await Promise.all([over, flow()]);
  }

  /** Resolves when every member has its connections again, and has had the time to show that it lives. */
  async whole(): Promise<void> {
    const isBack = ({ redis }: Process): boolean => redis.control.isReady && redis.publish.isReady;
    await waitFor(() => this.#members.every(isBack), { what: 'all members to be connected', timeoutMs: this.#recoveryMs });
    await this.flowDuring(setTimeout(this.#leaseMs / 3));
  }

  of(value: number): Run[] {
    return this.runs.filter((run) => run.value === value);
  }

  end(values: readonly number[]): void {
    for (const value of values) this.#endOf(value).fire();
  }

  /** Ends all handlers, and resolves when the group has nothing left to do. */
  async finish(): Promise<void> {
    this.end(this.runs.map(({ value }) => value));
    await this.#bed.drained(this.#publisher, Single, GROUP, this.#recoveryMs);
  }

  async harm(): Promise<Harm> {
    const runs = this.runs.filter(({ value }) => value < FIRST_WITNESS);
    const values = [...new Set(runs.map(({ value }) => value))];
    const deadLetters = await this.#publisher.streams.inspector.deadLetters(topicOf(Single), GROUP);
    const { fenced } = await this.#bed.state(this.#publisher, Single, GROUP);
    return {
      again: values.filter((value) => this.of(value).length > 1),
      crashed: runs.filter(({ crashes }) => crashes > 0).map(({ value }) => value),
      deadLetters: deadLetters.map(described),
      takenOver: this.#reclaimed - this.#deaths,
      fenced,
    };
  }

  async leave(): Promise<void> {
    this.#stopListening();
    this.end(this.runs.map(({ value }) => value));
    await Promise.all([this.#publisher, ...this.#members].map((member) => member.stop()));
  }

  async #handle(by: string, value: number, { attempt, crashes }: DeliveryContext): Promise<void> {
    this.runs.push({ value, by, attempt, crashes });
    const isBrief = value >= FIRST_BRIEF && value < FIRST_WITNESS;
    // For a second run it is enough to have begun.
    if (!isBrief && this.of(value).length === 1) await this.#endOf(value).promise;
  }

  #endOf(value: number): Ending {
    const ending = this.#ends.get(value) ?? newEnding();
    this.#ends.set(value, ending);
    return ending;
  }
}

function described({ reason, crashes }: DeadLetterRecord): string {
  return `${reason} after ${crashes} crashes`;
}
