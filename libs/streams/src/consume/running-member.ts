import { MillraceError } from '@millrace/core';
import { settlesWithin } from '@millrace/redis';
import type { Presence } from '../group/presence.js';
import type { Member } from './member.js';

/** How long it may take to put back the messages that handlers had at the deadline. */
const PUT_BACK_MS = 2_000;
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
   * The goodbye comes last. It may be called again, with another deadline.
   */
  async end(deadlineMs: number): Promise<void> {
    this.#presence.stopping(this.#name);
    const finishing = Promise.all([this.member.finish(deadlineMs), (this.#finishing ??= this.#finish())]);
    if (!(await settlesWithin(finishing, deadlineMs))) {
      this.#giveUp();
      if (!(await settlesWithin(finishing, PUT_BACK_MS))) this.member.settler.abandon();
    }
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

  /** Gives the messages up before the signals abort, so that an outcome that follows from an abort comes too late. */
  #giveUp(): void {
    const { dispatcher, deadLetters, held, place } = this.member;
    dispatcher.giveUp();
    deadLetters.hook?.giveUp();
    held.giveUpAll(stopped(place.topic, place.group));
  }
}

function stopped(topic: string, group: string): MillraceError {
  return new MillraceError(
    'CLOSED',
    `Group '${group}' is being stopped in this process and its time is up: the message of topic '${topic}' goes back to the group, and ` +
      'nothing that follows counts. Stop.',
  );
}
