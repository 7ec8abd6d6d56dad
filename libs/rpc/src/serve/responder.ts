import { emit, errorRecord, type PresencePort } from '@millrace/core';
import { COMMAND_TIMEOUT_MS, loadScript, type RedisConnection, settlesWithin, type Topology } from '@millrace/redis';
import { cancellationChannel, grantChannel, instanceCancellationChannel, instanceKey, PUT_BACK, requestsKey, SERVERS } from '../keys.js';
import type { CallMonitor } from '../monitor/call-monitor.js';
import { AnswerBatcher } from './answer-batcher.js';
import type { Cancellations } from './cancellations.js';
import { Certainty } from './certainty.js';
import { LateRecords } from '@millrace/ledger';
import type { MethodLedgers } from './execution.js';
import { OwnStreams } from './own-streams.js';
import { RedisClock } from './redis-clock.js';
import { RequestReader } from './request-reader.js';
import { RequestSlots, type ServingState } from './request-slots.js';
import { RequestStream } from './request-stream.js';
import type { ServedRequest } from './served-request.js';
import type { ServerCounters } from './server-counters.js';
import { isStreaming, type ServiceDefinition } from './service-definition.js';
import { StreamRuns } from './stream-runs.js';
import { TakeOver } from './take-over.js';

const open = loadScript('../scripts/open.lua', import.meta.url);
const leave = loadScript('../scripts/leave.lua', import.meta.url);

export interface ResponderParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly presence: PresencePort;
  readonly cancellations: Cancellations;
  readonly counters: ServerCounters;
  readonly monitor: CallMonitor;
  /** The ledgers of each idempotent method, by its name. */
  readonly ledgers: ReadonlyMap<string, MethodLedgers>;
  /** Whether the instance may serve is known once it resolves; it takes no request before. */
  readonly admit: (member: string) => Promise<void>;
  /** Redis has lost the stream of the service, and with it perhaps more. */
  readonly lost: () => void;
  readonly exposeStacks: boolean;
  readonly maxPayloadBytes: number;
  readonly overdueMs: number;
}

/** Most requests that are put back: more than an instance holds. */
const MOST_PUT_BACK = 10_000;
/** How often it looks for methods whose callers wait no longer. */
const SWEEP_EVERY_MS = 1_000;
/** Minimum time for answers to be written when methods have used up the time to stop, and for what follows. */
const FLUSH_MS = 500;

/** Serves one version of a service in this process, as an instance of it: from its start until it has left. */
export class Responder {
  /** The name of the instance, by which it may be called. */
  readonly member: string;
  readonly #parts: ResponderParts;
  readonly #answers: AnswerBatcher;
  readonly #records = new LateRecords('rpc-ledger');
  readonly #slots: RequestSlots;
  readonly #requests: RequestStream<ServedRequest>;
  readonly #own: RequestStream<ServedRequest>;
  readonly #ownStreams: OwnStreams;
  readonly #readers: readonly RequestReader[];
  readonly #takeOver: TakeOver;
  readonly #streams: StreamRuns;
  readonly #silence: readonly (() => void)[];
  #sweeping: NodeJS.Timeout | null = null;
  #stopped: Promise<void> | null = null;

  private constructor(parts: ResponderParts, definition: ServiceDefinition, member: string) {
    const { redis, prefix, cancellations } = parts;
    this.member = member;
    this.#parts = parts;
    this.#requests = new RequestStream(requestsKey(prefix, definition), false);
    this.#own = new RequestStream(instanceKey(prefix, member), true);
    const streams = [this.#requests, this.#own];
    const clock = new RedisClock(redis.publishFor(this.#requests.key));
    const certainty = new Certainty(parts.presence);
    this.#answers = new AnswerBatcher({ ...parts, clock, certainty });
    this.#streams = new StreamRuns({ ...parts, member });
    const serving = { answers: this.#answers, records: this.#records, streams: this.#streams };
    const slots = { ...parts, ...serving, definition, member, clock, certainty };
    this.#slots = new RequestSlots(slots, streams);
    this.#ownStreams = new OwnStreams({ ...parts, answers: this.#answers });
    const reading = { ...parts, member, certainty, slots: this.#slots, reopen: () => this.#reopen() };
    this.#readers = readable(redis, streams).map((together) => new RequestReader({ ...reading, streams: together }));
    const taking = { ...parts, member, certainty, slots: this.#slots, ownStreams: this.#ownStreams };
    this.#takeOver = new TakeOver({ ...taking, stream: this.#requests });
    const cancelled = (text: string): void => this.#slots.cancel(...cancellationIn(text));
    const granted = (text: string): void => this.#streams.heard(text);
    const hasStreams = [...definition.methods.values()].some(isStreaming);
    this.#silence = [
      cancellations.listen(cancellationChannel(prefix, definition), cancelled),
      cancellations.listen(instanceCancellationChannel(prefix, member), cancelled),
      ...(hasStreams ? [cancellations.listen(grantChannel(prefix, member), granted)] : []),
    ];
  }

  /** @throws RedisFailure */
  static async start(parts: ResponderParts, definition: ServiceDefinition): Promise<Responder> {
    const member = await parts.presence.join();
    const keys = [requestsKey(parts.prefix, definition), instanceKey(parts.prefix, member)];
    try {
      await Promise.all(keys.map((key) => openStream(parts.redis.controlFor(key), key, member)));
      await parts.admit(member);
    } catch (error) {
      parts.presence.departed(member);
      throw error;
    }
    const responder = new Responder(parts, definition, member);
    for (const reader of responder.#readers) reader.start();
    responder.#sweeping = setInterval(() => responder.#sweep(), SWEEP_EVERY_MS);
    responder.#takeOver.start();
    return responder;
  }

  get state(): ServingState {
    return this.#slots.state;
  }

  /**
   * Reads no more requests, waits for those that were begun, and leaves the service. After `deadlineMs` their signals abort,
   * and others take them over.
   */
  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  async #stop(deadlineMs: number): Promise<void> {
    const stopBy = performance.now() + deadlineMs;
    const remainingMs = (): number => Math.max(stopBy - performance.now(), FLUSH_MS);
    this.#parts.presence.stopping(this.member);
    const reading = this.#readers.map((reader) => reader.stop(remainingMs()));
    this.#slots.close();
    await Promise.all([...reading, this.#takeOver.stop()]);
    const waiting = await this.#slots.drain(stopBy - performance.now());
    await settlesWithin(Promise.all([this.#answers.flushed(), this.#records.flushed()]), remainingMs());
    await settlesWithin(this.#leave(waiting), remainingMs());
    this.#answers.abandon();
    this.#records.abandon();
    for (const silence of this.#silence) silence();
    this.#streams.stop();
    if (this.#sweeping !== null) clearInterval(this.#sweeping);
  }

  #sweep(): void {
    this.#slots.sweep();
    this.#streams.look();
  }

  /** Others learn in any case that this instance is gone: by its word, or by its silence. */
  async #leave(waiting: readonly ServedRequest[]): Promise<void> {
    const { presence } = this.#parts;
    try {
      this.#parts.counters.inFlight -= waiting.length;
      await this.#ownStreams.empty(this.member, new Set(entriesOf(waiting, this.#own)));
      const leftSomething = await this.#putBack();
      if (leftSomething) await presence.left(this.member);
      else presence.departed(this.member);
    } catch (error) {
      emit('loop-failed', { loop: 'rpc-stop', error: errorRecord(error), failures: 1 });
    }
  }

  /** Puts back what it has not begun. @returns whether others have something to take over */
  async #putBack(): Promise<boolean> {
    const { key, held: inHand } = this.#requests;
    // Those that were taken over may have been begun by an instance that is gone.
    const begun = [...inHand].filter(({ isBegun, takenOver }) => isBegun || takenOver).map(({ entryId }) => entryId);
    // Another instance, which is gone, may have begun what this one holds without knowing it.
    const isUnknown = this.#requests.takeAgain() === 'taken';
    const args = [SERVERS, this.member, PUT_BACK, isUnknown ? 0 : MOST_PUT_BACK, ...begun];
    const [putBack, held] = (await this.#parts.redis.controlFor(key).run(leave, [key], args)) as [number, number];
    return putBack + held > 0;
  }

  async #reopen(): Promise<void> {
    const { redis } = this.#parts;
    for (const { key } of [this.#requests, this.#own]) {
      if (!(await openStream(redis.controlFor(key), key, this.member))) continue;
      emit('recreated', { why: `the stream ${key}, or its group, was gone from Redis` });
      this.#parts.lost();
    }
  }
}

function cancellationIn(text: string): [inbox: string, correlation: number] {
  const [inbox = '', correlation = ''] = text.split(' ');
  return [inbox, Number(correlation)];
}

/** @returns whether the stream or its group was not there */
async function openStream(redis: RedisConnection, key: string, member: string): Promise<boolean> {
  await redis.whenReady(COMMAND_TIMEOUT_MS);
  return (await redis.run(open, [key], [SERVERS, member])) === 1;
}

function entriesOf(requests: readonly ServedRequest[], stream: RequestStream<ServedRequest>): string[] {
  return requests.filter((request) => request.stream === stream).map(({ entryId }) => entryId);
}

/** Streams that get the same connection are read by one command. */
function readable(redis: Topology, streams: readonly RequestStream<ServedRequest>[]): RequestStream<ServedRequest>[][] {
  const together = new Map<unknown, RequestStream<ServedRequest>[]>();
  for (const stream of streams) {
    const connection = redis.publishFor(stream.key);
    together.set(connection, [...(together.get(connection) ?? []), stream]);
  }
  return [...together.values()];
}
