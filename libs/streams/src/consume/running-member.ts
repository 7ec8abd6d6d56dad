import { emit, errorRecord, MillraceError } from '@millrace/core';
import { RedisFailure, settlesWithin } from '@millrace/redis';
import type { Presence } from '../group/presence.js';
import type { Member } from './member.js';

/** How long it may take to put back the messages that handlers had at the deadline. */
const PUT_BACK_MS = 2_000;
/** Outcomes wait for their confirmation until so long before the deadline, or for four fifths of a shorter time. */
const UNCONFIRMED_MS = 500;
/** How long it may take to send what was forwarded: others send the rest. */
const FORWARD_MS = 1_000;
/** How long the end of the loops and the goodbye may take: a Redis that does not answer must not keep the process. */
const GOODBYE_MS = 500;

/** A member of a group with its name, from when it joined until it is gone. */
export class RunningMember {
  readonly member: Member;
  readonly #name: string;
  readonly #presence: Presence;
  #finishing: Promise<void> | null = null;
  #parting: Promise<void> | null = null;

  constructor(presence: Presence, name: string, member: Member) {
    this.member = member;
    this.#name = name;
    this.#presence = presence;
  }

  /**
   * The order matters. No handler starts from now on. Then the reads end, so that nothing arrives unseen, and waiting messages go
   * back to the group. Handlers may finish while this process still says that it lives; their messages go back at the deadline.
   * Shortly before it, outcomes that are not confirmed count when Redis has written them: those that it takes after the deadline
   * would be refused, since the partitions are others' then. The goodbye comes last. It may be called again.
   */
  async end(deadlineMs: number): Promise<void> {
    this.#presence.stopping(this.#name);
    const confirmMs = deadlineMs - Math.min(UNCONFIRMED_MS, deadlineMs / 5);
    const late = setTimeout(() => this.#confirmNoLonger(), confirmMs);
    const finishing = Promise.all([this.member.finish(deadlineMs), (this.#finishing ??= this.#finish())]);
    if (!(await settlesWithin(finishing, deadlineMs))) {
      this.#giveUp();
      if (!(await settlesWithin(finishing, PUT_BACK_MS))) this.member.settler.abandon();
    }
    clearTimeout(late);
    await settlesWithin(this.member.forwarder.drain(), FORWARD_MS);
    await this.part();
  }

  /** Says goodbye: from now on nobody waits for the member, and others look after its entries. */
  part(): Promise<void> {
    this.#parting ??= settlesWithin(this.#goodbye(), GOODBYE_MS).then(() => this.member.fetcher.abandon());
    return this.#parting;
  }

  async #goodbye(): Promise<void> {
    const hasLeft = await this.member.leave();
    if (hasLeft) this.#presence.departed(this.#name);
    // Without this word the others find out when the process is gone.
    else await this.#presence.left(this.#name).catch(() => undefined);
  }

  async #finish(): Promise<void> {
    const { pauses, fetcher } = this.member;
    await Promise.all([pauses.pause('stop'), fetcher.stop()]);
    await pauses.drain();
  }

  #confirmNoLonger(): void {
    const { settler, place: { topic, group } } = this.member;
    if (!settler.confirmNoLonger()) return;
    emit('loop-failed', { topic, group, loop: 'settle', error: errorRecord(unconfirmed(group)), failures: 1 });
  }

  /** Gives the messages up before the signals abort, so that an outcome that follows from an abort comes too late. */
  #giveUp(): void {
    const { dispatcher, deadLetters, held, place } = this.member;
    dispatcher.giveUp();
    deadLetters.hook?.giveUp();
    held.giveUpAll(stopped(place.topic, place.group));
  }
}

function unconfirmed(group: string): RedisFailure {
  return new RedisFailure(
    'unconfirmed',
    `Group '${group}' is being stopped in this process, and its time is nearly up: outcomes count from now on when the primary has stored them, ` +
      'though their durability is not confirmed. If it fails before its replicas have them, their messages are handled again.',
    undefined,
  );
}

function stopped(topic: string, group: string): MillraceError {
  return new MillraceError(
    'CLOSED',
    `Group '${group}' is being stopped in this process and its time is up: the message of topic '${topic}' goes back to the group, and ` +
      'nothing that follows counts. Stop.',
  );
}
