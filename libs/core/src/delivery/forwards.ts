import type { TopicOf } from '../contract/defined-topic.js';
import type { PayloadClass, TopicRef } from '../contract/topic.js';
import type { UnknownProperties } from '../contract/unknown-properties.js';
import { asError, MillraceError } from '../errors.js';
import { newMessageId } from '../message-id.js';
import { type Contract, contractOf, type Draft, draftOf } from '../publish/draft.js';
import type { Forward, ForwardedJobs } from './forward.js';

/** Most messages and jobs that one message may forward, and their text in all. */
export const MOST_FORWARDS = 256;
export const MOST_FORWARD_BYTES = 4 * 1024 * 1024;

export interface ForwardingParts {
  /** For topics that say nothing themselves. */
  readonly unknownProperties?: UnknownProperties | undefined;
  /** Absent: this process has no queues. */
  readonly jobs?: ForwardedJobs | undefined;
}

/** The means by which handlers of one subscription forward messages and jobs. */
export class Forwarding {
  readonly jobs: ForwardedJobs | undefined;
  readonly #unknownProperties: UnknownProperties | undefined;
  readonly #contracts = new WeakMap<TopicRef, Contract>();

  constructor({ unknownProperties, jobs }: ForwardingParts) {
    this.#unknownProperties = unknownProperties;
    this.jobs = jobs;
  }

  /** @throws MillraceError NOT_A_TOPIC */
  contractOf(published: TopicOf<never>): Contract {
    const topic = published as TopicRef;
    const known = this.#contracts.get(topic);
    if (known) return known;
    const contract = contractOf(topic, this.#unknownProperties);
    this.#contracts.set(topic, contract);
    return contract;
  }
}

/** Messages and jobs that one attempt forwards: open -> taken by its outcome, or dropped. */
export class Forwards {
  readonly #forwarding: Forwarding;
  readonly #items: Forward[] = [];
  /** Payloads whose rules take their time, or are broken. */
  #pending: Promise<void>[] | null = null;
  #bytes = 0;
  #isOpen = true;

  constructor(forwarding: Forwarding) {
    this.#forwarding = forwarding;
  }

  /** @returns the id of the message */
  publish(topic: TopicOf<never>, payload: unknown, options: unknown): string {
    const contract = this.#forwarding.contractOf(topic);
    const where = `ctx.publish(${contract.topic.name})`;
    this.#assertOpen(where);
    const draft = draftOf(contract, { payload, options, where });
    const id = newMessageId();
    const made = (one: Draft): Forward => forwardOf(contract, one, id);
    this.#add(where, draft instanceof Promise ? draft.then(made) : made(draft));
    return id;
  }

  /** @returns the id of the job */
  enqueue(job: PayloadClass, payload: object, options: unknown): string {
    const where = `ctx.enqueue(${job.name})`;
    this.#assertOpen(where);
    const { jobs } = this.#forwarding;
    if (!jobs) throw new MillraceError('FORWARD_REFUSED', `${where}: this subscription was made without queues, so no job can be enqueued.`);
    const id = newMessageId();
    this.#add(where, jobs.write(job, payload, { id, options, where }));
    return id;
  }

  /**
   * All of them; nothing can be added any more. It waits only for rules of payloads that take their time, and rejects when they
   * find one that is not valid.
   */
  take(): readonly Forward[] | Promise<readonly Forward[]> {
    this.#isOpen = false;
    return this.#pending ? Promise.all(this.#pending).then(() => this.#items) : this.#items;
  }

  /** Nothing goes out. */
  drop(): void {
    this.#isOpen = false;
  }

  #add(where: string, forward: Forward | Promise<Forward>): void {
    const index = this.#items.length;
    if (index >= MOST_FORWARDS) throw tooMuch(where);
    if (!(forward instanceof Promise)) {
      this.#take(where, forward, index);
      return;
    }
    const taken = forward.then((made) => this.#take(where, made, index));
    // It fails the attempt when the handler has ended well; a handler that throws has failed already.
    taken.catch((thrown: unknown) => asError(thrown));
    this.#items.length += 1;
    this.#pending = [...(this.#pending ?? []), taken];
  }

  #take(where: string, forward: Forward, index: number): void {
    this.#bytes += Buffer.byteLength(forward.kind === 'job' ? forward.json : forward.message.payloadJson);
    if (this.#bytes > MOST_FORWARD_BYTES) throw tooMuch(where);
    this.#items[index] = forward;
  }

  #assertOpen(where: string): void {
    if (this.#isOpen) return;
    throw new MillraceError(
      'FORWARD_REFUSED',
      `${where}: the handler has ended, or its time is over, so this would go out with nothing. Await all work before the handler ends.`,
    );
  }
}

function forwardOf({ topic }: Contract, { message, sendOptions }: Draft, id: string): Forward {
  message.id = id;
  return { kind: 'message', topic, message, sendOptions };
}

function tooMuch(where: string): MillraceError {
  return new MillraceError(
    'FORWARD_REFUSED',
    `${where}: one message may forward at most ${MOST_FORWARDS} messages and jobs with ${MOST_FORWARD_BYTES} bytes of payload in all. ` +
      'Forward one message that stands for many, or publish them with Publisher.publishMany().',
  );
}
